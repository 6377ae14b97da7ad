using System;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>Callers of one mount that meet in one place; each seed is another interleaving.</summary>
internal sealed class EngineRaceTests
{
    private const int BlockBytes = FormatConstants.SmallBlockBytes;

    private static readonly CancellationToken None = CancellationToken.None;

    [Test]
    public void Rename_TwoDirectoriesIntoEachOther_OnlyOneMoves()
    {
        var world = new SimNode(5, new MountOptions(), SimLatency.Usual);
        world.Run(async () =>
        {
            await world.FormatAsync();
            await world.MountAsync();
            for (int round = 0; round < 20; round++)
            {
                ulong a = await world.CreateAsync("a", FileMode.Directory | 0x1c0);
                ulong b = await world.CreateAsync("b", FileMode.Directory | 0x1c0);

                // Nothing is cached after this, so that both look their ancestors up at a time.
                await world.UnmountAsync();
                await world.MountAsync();
                var fs = world.Node.Fs;
                var moves = new[]
                {
                    fs.RenameAsync(1, "a"u8.ToArray(), b, "a"u8.ToArray(), false, None).AsTask(),
                    fs.RenameAsync(1, "b"u8.ToArray(), a, "b"u8.ToArray(), false, None).AsTask(),
                };
                var errors = await Task.WhenAll(moves);

                Assert.That(errors.Count(static error => error == FsError.None), Is.EqualTo(1), $"round {round}");
                var (inner, outer) = errors[0] == FsError.None ? ("a"u8.ToArray(), b) : ("b"u8.ToArray(), a);
                byte[] top = outer == a ? "a"u8.ToArray() : "b"u8.ToArray();
                Assert.That(await fs.UnlinkAsync(outer, inner, true, None), Is.EqualTo(FsError.None));
                Assert.That(await fs.UnlinkAsync(1, top, true, None), Is.EqualTo(FsError.None));
            }

            await world.UnmountAsync();
        });
    }

    [TestCase(1UL)]
    [TestCase(2UL)]
    [TestCase(3UL)]
    public void Write_PartsOfOneBlockByManyCallers_NoneIsLost(ulong seed)
    {
        const int Callers = 4;
        const int PartBytes = BlockBytes / Callers;
        var world = new SimNode(seed, new MountOptions(), SimLatency.Usual);
        world.Run(async () =>
        {
            await world.FormatAsync();
            await world.MountAsync();
            var fs = world.Node.Fs;
            ulong ino = await world.CreateAsync("file", FileMode.Regular | 0x1c0);
            var (error, _) = await fs.WriteAsync(ino, 0, new byte[BlockBytes], false, false, None);
            Assert.That(error, Is.EqualTo(FsError.None));
            byte[] latest = new byte[Callers];
            var running = Enumerable.Range(0, Callers).Select(async caller =>
            {
                byte[] part = new byte[PartBytes];
                for (byte i = 1; i <= 100; i++)
                {
                    part.AsSpan().Fill(i);
                    latest[caller] = i;
                    var (writeError, _) = await fs.WriteAsync(
                        ino, (ulong)(caller * PartBytes), part, false, false, None);
                    Assert.That(writeError, Is.EqualTo(FsError.None));
                    if (world.Prng.NextInt32(3) == 0)
                        Assert.That(await fs.SyncAsync(None), Is.EqualTo(FsError.None));
                    byte[] read = new byte[PartBytes];
                    var (readError, count) = await fs.ReadAsync(ino, (ulong)(caller * PartBytes), read, None);
                    Assert.That((readError, count), Is.EqualTo((FsError.None, PartBytes)));
                    Assert.That(read.All(value => value == i), Is.True, $"caller {caller}, write {i}: {read[0]}");
                }
            }).ToArray();
            await Task.WhenAll(running);
            await world.UnmountAsync();
        });
    }

    [Test]
    public void Close_UnlinkedAfterTheCallerLooked_StillDeletes()
    {
        var world = new SimNode(7, new MountOptions());
        world.Run(async () =>
        {
            await world.FormatAsync();
            await world.MountAsync();
            var fs = world.Node.Fs;
            ulong ino = await world.CreateAsync("file", FileMode.Regular | 0x1c0);
            fs.Open(ino);
            Assert.That(await fs.UnlinkAsync(1, "file"u8.ToArray(), false, None), Is.EqualTo(FsError.None));
            Assert.That(await world.Node.Mount.Deletion.DrainAsync(), Is.EqualTo(FsError.None));
            Assert.That((await fs.GetAttributesAsync(ino, None)).Error, Is.EqualTo(FsError.None));

            fs.Close(ino, hasNoLinks: false);

            Assert.That(await world.Node.Mount.Deletion.DrainAsync(), Is.EqualTo(FsError.None));
            Assert.That((await fs.GetAttributesAsync(ino, None)).Error, Is.EqualTo(FsError.NotFound));
            await world.UnmountAsync();
        });
    }
}

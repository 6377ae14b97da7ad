using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Mounting;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>One of several callers that make, link, move and remove a few names of one directory.</summary>
internal sealed class SharedDirectoryCaller(FileSystem fs, ulong directory, Prng prng)
{
    private const int Names = 12;

    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>Does operations; each may meet what others did, and nothing else.</summary>
    public async Task RunAsync(int operations, Func<Task> pause)
    {
        for (int i = 0; i < operations; i++)
        {
            var error = await StepAsync();
            Assert.That(error, Is.AnyOf(FsError.None, FsError.Exists, FsError.NotFound));
            if (prng.NextInt32(4) == 0)
                await pause();
        }
    }

    /// <summary>What must hold whatever was done: counts and both ways through the directory agree.</summary>
    public static async Task CheckAsync(FileSystem fs, ulong directory)
    {
        var entries = new List<ListedEntry>();
        var (error, isEnd) = await fs.ListAsync(directory, 0, entries, 1000, None);
        Assert.That((error, isEnd), Is.EqualTo((FsError.None, true)));
        var (_, item) = await fs.GetAttributesAsync(directory, None);
        Assert.That(item.Size.Value, Is.EqualTo((ulong)entries.Sum(static entry => entry.Name.Length)));
        Assert.That(entries.Select(static entry => entry.Pos), Is.Ordered);
        Assert.That(entries.Select(static entry => Encoding.UTF8.GetString(entry.Name)), Is.Unique);
        foreach (var group in entries.GroupBy(static entry => entry.Ino))
        {
            foreach (var entry in group)
            {
                (error, ulong ino, var inode) = await fs.LookupAsync(directory, entry.Name, None);
                Assert.That((error, ino), Is.EqualTo((FsError.None, group.Key)));
                Assert.That(inode.Nlink.Value, Is.EqualTo((uint)group.Count()));
            }
        }
    }

    private byte[] Name() =>
        Encoding.UTF8.GetBytes("s" + prng.NextInt32(Names).ToString(CultureInfo.InvariantCulture));

    private async Task<FsError> StepAsync()
    {
        byte[] name = Name();
        switch (prng.NextInt32(5))
        {
            case 0:
                return (await fs.CreateAsync(
                    directory, name, FileMode.Regular, 0, default, new Creator(0, 0, fs.Now), None)).Error;
            case 1:
                return await fs.UnlinkAsync(directory, name, false, None);
            case 2:
                return await fs.RenameAsync(directory, name, directory, Name(), prng.NextInt32(2) == 0, None);
            case 3:
                var (error, ino, _) = await fs.LookupAsync(directory, name, None);
                return error != FsError.None
                    ? error
                    : (await fs.LinkAsync(ino, directory, Name(), false, None)).Error;
            default:
                return (await fs.LookupAsync(directory, name, None)).Error;
        }
    }
}

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Hostile;

/// <summary>Structures that lead back to themselves, or to one place many times, are left in good time.</summary>
/// <remarks>What random changes would hardly hit upon; each would take a naive reader forever.</remarks>
[TestFixture]
internal sealed class HostileLoopTests
{
    private const int TimeLimitMs = 20_000;

    private static IEnumerable<TestCaseData> Loops
    {
        get
        {
            (string Name, Action<VolumeEditor> Plant)[] loops =
            [
                ("srch parents that refer to themselves", v => MakeSrchBomb(v, height: 8)),
                ("srch parents, as high as can be said", v => MakeSrchBomb(v, height: 255)),
                ("list that ends at its head", CloseList),
                ("btree parent with one child many times", RepeatChild),
                ("btree parent that is its own child", AdoptItself),
                ("directory in itself, twice", v => NestDirectory(v, "docs/inner", "docs/inner")),
                ("directory in its own subdirectory, twice", v => NestDirectory(v, "docs/inner/empty", "docs")),
                ("root in a directory, twice", v => NestDirectory(v, "docs/inner", null)),
                ("file of all sizes", MakeHugeFile),
                ("log trees that share a tree", ShareTree),
            ];
            return
                from loop in loops
                from use in VolumeEditorProbe.Uses
                select new TestCaseData(loop.Plant, use.Use) { TestName = $"Loop({loop.Name}, {use.Name})" };
        }
    }

    [TestCaseSource(nameof(Loops))]
    public async Task Loop_AnyUse_EndsInGoodTime(
        Action<VolumeEditor> plant, Func<IBlockDevice, IBlockDevice, CancellationToken, Task> use)
    {
        var volume = SampleVolume.Busy.Edit();
        plant(volume);
        using var stop = new CancellationTokenSource();
        var running = Task.Run(() => use(volume.Meta, volume.Data, stop.Token));
        try
        {
            await running.WaitAsync(TimeSpan.FromMilliseconds(TimeLimitMs));
        }
        finally
        {
            // What does not end by itself should not burden the tests that follow.
            await stop.CancelAsync();
        }
    }

    private static ulong Ino(string path) => SampleVolume.Busy.Inos[path];

    private static void MakeSrchBomb(VolumeEditor v, byte height)
    {
        var item = v.Items(v.Super.SrchRoot).First(item =>
            item.Key.Type == KeyType.SrchSorted && Disk.Ref<SrchFile>(item.Value.AsSpan()).Height == 2);
        var file = Disk.Ref<SrchFile>(item.Value.AsSpan());
        v.EditLarge(file.Ref.Blkno, block => VolumeEditor.References(block).Fill(file.Ref));
        v.EditValue(v.Super.SrchRoot, item.Key, (ref SrchFile changed) =>
        {
            changed.Height = height;
            changed.Blocks = ulong.MaxValue;
        });
    }

    private static void CloseList(VolumeEditor v)
    {
        var head = v.Super.ServerMetaAvail[0];
        v.EditLarge(v.ListBlocks(head)[^1], (ref AllocListBlock list) => list.Next = head.Ref);
    }

    private static void RepeatChild(VolumeEditor v) => v.Rebuild(v.BlocksAt(v.Super.FsRoot, 1)[1], items =>
    {
        for (int i = 1; i < items.Count; i++)
            items[i] = items[i] with { Value = items[0].Value };
    });

    private static void AdoptItself(VolumeEditor v)
    {
        ulong parent = v.BlocksAt(v.Super.FsRoot, 1)[1];
        var self = new BlockRef(parent, Disk.Ref<BlockHeader>(v.ReadLarge(parent).AsSpan()).Seq);
        v.Rebuild(parent, items =>
        {
            for (int i = 0; i < items.Count; i++)
                items[i] = items[i] with { Value = Disk.Bytes(in self).ToArray() };
        });
    }

    /// <summary>Puts a directory twice into another one that lies below it.</summary>
    private static void NestDirectory(VolumeEditor v, string into, string? directory)
    {
        ulong dir = Ino(into);
        ulong ino = directory is null ? FormatConstants.RootIno : Ino(directory);
        for (ulong pos = 50; pos < 52; pos++)
        {
            byte[] name = Encoding.UTF8.GetBytes($"again{pos}");
            var header = new DirentHeader
            {
                Ino = ino,
                Hash = NameHash.Compute(name),
                Pos = pos,
                Type = (byte)DirentType.Directory,
            };
            byte[] value = [.. Disk.Bytes(in header), .. name];
            v.Insert(v.Super.FsRoot, new VolumeEditorItem(Keys.Dirent(dir, header.Hash, pos), 30, 0, value));
            v.Insert(v.Super.FsRoot, new VolumeEditorItem(Keys.Readdir(dir, pos), 30, 0, value));
            v.Insert(v.Super.FsRoot, new VolumeEditorItem(Keys.LinkBackref(ino, dir, pos), 30, 0, value));
        }
    }

    private static void MakeHugeFile(VolumeEditor v)
    {
        ulong ino = Ino("docs/empty.txt");
        v.EditInode(ino, (ref InodeItem inode) => inode.Size = long.MaxValue);
        for (ulong i = 1; i <= 4; i++)
        {
            var extent = new DataExtentItem { Flags = DataExtentItem.FlagOffline };
            v.Insert(v.Super.FsRoot, new VolumeEditorItem(
                Keys.DataExtent(ino, (i << 49) - 1, (1UL << 49) - i), 30, 0, Disk.Bytes(in extent).ToArray()));
        }
    }

    private static void ShareTree(VolumeEditor v)
    {
        var root = v.Super.FsRoot;
        foreach (var log in v.Logs.ToList())
        {
            v.EditLog(log.Rid, log.Nr, (ref LogTrees changed) =>
            {
                changed.ItemRoot = root;
                changed.DataAvail.Root = root;
                changed.DataFreed.Root = root;
            });
        }
    }
}

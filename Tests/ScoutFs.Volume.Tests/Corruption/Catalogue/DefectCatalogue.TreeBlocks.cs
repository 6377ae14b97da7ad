using System;
using System.Collections.Generic;
using System.Linq;
using ScoutFs.Testing;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Planting;

/// <content>
/// I20 to I35: shape of btree blocks. Most are planted into the tree that is being freed: its blocks must be sound, but
/// nothing depends on what its items say.
/// </content>
internal static partial class DefectCatalogue
{
    private static ItemKey FreeingKey => new(KeyZone.MergeFreeing, 300, 0);

    private static IEnumerable<PlantedDefect> TreeBlocks =>
    [
        Error("I20", "level of the root", v => v.EditLarge(
            v.Super.MountedClients.Ref.Blkno, (ref BtreeBlockHeader b) => b.Level = 1)),
        Error("I20", "level of the root", "height too great", v => v.EditSuper((ref SuperBlock s) =>
            s.MountedClients.Height = 2)),
        Error("I20", "level below the root", v => v.EditLarge(FreeingLeaf(v, 3), (ref BtreeBlockHeader b) =>
            b.Level = 2)),
        Error("I20", "level below the root", "leaf of fs_root", v => v.EditLarge(
            LeafOf(v, "many/f040"), (ref BtreeBlockHeader b) => b.Level = 1)),
        Error("I21", "item array", "leaf", v => v.EditLarge(FreeingLeaf(v, 3), (ref BtreeBlockHeader b) =>
            b.NrItems = 1116)),
        Error("I21", "item array", "parent", v => v.EditLarge(FreeingRoot(v), (ref BtreeBlockHeader b) =>
                b.NrItems = ushort.MaxValue)),
        Error("I22", "offsets valid", "between items", v => InFreeingLeaf(v, b => BlockSurgery.Item(b, 0).Node.Left =
            17)),
        Error("I22", "offsets valid", "behind the items", v => InFreeingLeaf(v, b =>
            BlockSurgery.Item(b, 9).Node.Right = BlockSurgery.Node(10))),
        Error("I22", "offsets valid", "root", v => InFreeingLeaf(v, b => BlockSurgery.Header(b).ItemRoot = 60000)),
        Error("I22", "parents exact", v => InFreeingLeaf(v, b => BlockSurgery.Item(b, 0).Node.Parent =
            BlockSurgery.Node(2))),
        Error("I22", "parents exact", "root", v => InFreeingLeaf(v, b =>
            BlockSurgery.Item(b, BlockSurgery.Find(b, item => item.Node.Parent == 0)).Node.Parent =
                BlockSurgery.Node(0))),
        Error("I22", "every item reached", v => InFreeingLeaf(v, b =>
        {
            // Item 1 has item 0 as its only child.
            BlockSurgery.Item(b, 1).Node.Left = 0;
            BlockSurgery.Item(b, 1).Node.Height = 1;
        })),
        Error("I22", "every item reached", "no root", v => InFreeingLeaf(v, b => BlockSurgery.Header(b).ItemRoot = 0)),
        Error("I22", "every item reached once", "loop", v => InFreeingLeaf(v, b =>
            BlockSurgery.Item(b, 0).Node.Left = BlockSurgery.Header(b).ItemRoot)),
        Error("I22", "every item reached once", "loop in fs_root", v => v.EditLarge(LeafOf(v, "many/f040"), b =>
            BlockSurgery.Item(b, 0).Node.Left = BlockSurgery.Header(b).ItemRoot)),
        Error("I23", "heights exact", v => InFreeingLeaf(v, b => BlockSurgery.Item(b, 0).Node.Height = 3)),
        Error("I23", "heights exact", "parent block", v => v.EditLarge(FreeingRoot(v), b =>
            BlockSurgery.Item(b, 3).Node.Height = 9)),
        Error("I23", "heights exact", "two items, but not from mkfs", v => v.EditLarge(
            v.Super.MountedClients.Ref.Blkno, b => BlockSurgery.Item(b, 1).Node.Height = 0)),
        Error("I23", "balanced", v => InFreeingLeaf(v, BlockSurgery.Chain)),
        Error("I23", "balanced", "leaf of fs_root", v => v.EditLarge(LeafOf(v, "many/f040"), BlockSurgery.Chain)),
        Warning("I23", "two items with seq 1", v =>
        {
            v.EditLarge(v.Super.MountedClients.Ref.Blkno, b =>
            {
                BlockSurgery.Header(b).Header.Seq = 1;
                BlockSurgery.Item(b, 1).Node.Height = 0;
            });
            v.EditSuper((ref SuperBlock s) => s.MountedClients.Ref.Seq = 1);
        }),
        Error("I24", "ascending", v => InFreeingLeaf(v, b =>
        {
            var items = v.ItemsOf(FreeingLeaf(v, 3));
            (items[4], items[5]) = (items[5], items[4]);
            BlockSurgery.WriteInOrder(b, items);
        })),
        Error("I24", "strictly", v => InFreeingLeaf(v, b =>
            {
                var items = v.ItemsOf(FreeingLeaf(v, 3));
                items[5] = items[5] with { Key = items[4].Key };
                BlockSurgery.WriteInOrder(b, items);
            })),
        Error("I25", "keys above the range", v => v.Rebuild(FreeingLeaf(v, 3), items =>
            items[^1] = items[^1] with { Key = items[^1].Key.Next() })),
        Error("I25", "keys below the range", v => v.Rebuild(FreeingLeaf(v, 3), items =>
            items[0] = items[0] with { Key = Keys.Inode(items[0].Key.First - 1) })),
        Error("I25", "keys above the range", "parent", v => v.Rebuild(
            ParentOf(v, "many/f020"), items => items[^1] = items[^1] with { Key = items[^1].Key.Next() })),
        Error("I26", "key pad", v => InFreeingLeaf(v, b =>
        {
            BlockSurgery.Item(b, 4).Key.Pad[2] = 1;
            BlockSurgery.FillHash(b);
        })),
        Error("I26", "node pad", v => InFreeingLeaf(v, b => BlockSurgery.Item(b, 4).Node.Pad = 1)),
        Error("I26", "item pad", v => InFreeingLeaf(v, b => BlockSurgery.Item(b, 4).Pad[0] = 1)),
        Error("I26", "item pad", "parent in fs_root", v => v.EditLarge(v.Super.FsRoot.Ref.Blkno, b =>
            BlockSurgery.Item(b, 0).Pad[2] = 0x80)),
        Error("I27", "aligned", v => InFreeingLeaf(v, b =>
        {
            int last = LastValue(b);
            BlockSurgery.MoveValue(b, last, BlockSurgery.Item(b, last).ValOff - 4);
            BlockSurgery.Header(b).MidFreeLen = (ushort)(BlockSurgery.Header(b).MidFreeLen - 8);
        })),
        Error("I27", "inside the value area", "in the hash", v => InFreeingLeaf(v, b =>
            BlockSurgery.Item(b, LastValue(b)).ValOff = 62512)),
        Error("I27", "inside the value area", "past the block", v => InFreeingLeaf(v, b =>
            BlockSurgery.Item(b, LastValue(b)).ValOff = 65528)),
        Error("I27", "not over items", v => InFreeingLeaf(v, b => BlockSurgery.Item(b, LastValue(b)).ValOff = 64)),
        Error("I27", "not over each other", v => InFreeingLeaf(v, b =>
        {
            int last = LastValue(b);
            int other = BlockSurgery.Find(b, item => item.ValLen != 0);
            BlockSurgery.Item(b, last).ValOff = BlockSurgery.Item(b, other).ValOff;
        })),
        Error("I27", "not over each other", "in part", v => InFreeingLeaf(v, b =>
        {
            int last = LastValue(b);
            BlockSurgery.MoveValue(b, last, BlockSurgery.Item(b, last).ValOff + 8);
        })),
        Error("I27", "at most 896 bytes", v => InFreeingLeaf(v, b =>
        {
            // 1680 bytes: 168 that it has, and those of nine further values behind.
            ref var item = ref BlockSurgery.Item(b, LastValue(b));
            ref var header = ref BlockSurgery.Header(b);
            header.TotalItemBytes = (ushort)(header.TotalItemBytes + 904 - item.ValLen);
            item.ValLen = 904;
        })),
        Either("I27", "no offset without a value", v => InFreeingLeaf(v, b =>
                BlockSurgery.Item(b, BlockSurgery.Find(b, item => item.ValLen == 0)).ValOff = 62344)),
        Error("I27", "no value without an offset", v => InFreeingLeaf(v, b =>
                BlockSurgery.Item(b, LastValue(b)).ValOff = 0)),
        Error("I28", "length in a parent", v => v.EditLarge(FreeingRoot(v), b => BlockSurgery.Item(b, 0).ValLen = 12)),
        Error("I28", "length in a parent", "child in use", v => v.EditLarge(FreeingRoot(v), b =>
                BlockSurgery.Item(b, 3).ValLen = 9)),
        Error("I29", "unknown flags", v => InFreeingLeaf(v, b => BlockSurgery.Item(b, 4).Flags |= 2)),
        Error("I29", "unknown flags", "log tree", v => v.EditItem(
            v.Log(SampleVolume.RidC, 1).ItemRoot,
            Keys.Inode(Ino("left")),
            (ref BtreeItem item, Span<byte> _) => item.Flags = 0x80)),
        Error("I30", "total_item_bytes", v => InFreeingLeaf(v, b => BlockSurgery.Header(b).TotalItemBytes =
            (ushort)(BlockSurgery.Header(b).TotalItemBytes + 8))),
        Error("I30", "total_item_bytes", "parent", v => v.EditLarge(v.Super.FsRoot.Ref.Blkno, (
            ref BtreeBlockHeader b) => b.TotalItemBytes = 0)),
        Error("I31", "mid_free_len", v => InFreeingLeaf(v, b => BlockSurgery.Header(b).MidFreeLen =
                (ushort)(BlockSurgery.Header(b).MidFreeLen + 8))),
        Error("I31", "mid_free_len", "value moved into the free space", v => InFreeingLeaf(v, b =>
                BlockSurgery.MoveValue(b, LastValue(b), BlockSurgery.Item(b, LastValue(b)).ValOff - 80))),
        Error("I31", "mid_free_len", "past the block", v => v.EditLarge(v.Super.FsRoot.Ref.Blkno, (
                ref BtreeBlockHeader b) => b.MidFreeLen = ushort.MaxValue)),
        Error("I32", "right spine", v => v.Rebuild(FreeingRoot(v), items =>
            items[^1] = items[^1] with { Key = v.ItemsOf(FreeingLeaf(v, 5))[^1].Key })),
        Error("I32", "right spine", "below the root", v =>
        {
            ulong parent = v.Path(FsRoot(v), ItemKey.Max)[1];
            var last = v.Items(FsRoot(v)).Last().Key;
            v.Rebuild(parent, items => items[^1] = items[^1] with { Key = last });
        }),
        Error("I33", "each item found", "not in the hash", v => InFreeingLeaf(v, b =>
            BlockSurgery.Buckets(b)[BlockSurgery.BucketOf(b, 4)] = 0)),
        Error("I33", "each item found", "wrong bucket", v => InFreeingLeaf(v, b =>
        {
            var buckets = BlockSurgery.Buckets(b);
            int bucket = BlockSurgery.BucketOf(b, 4);
            buckets[bucket] = 0;
            int other = (bucket + 700) % buckets.Length;
            while (buckets[other] != 0)
                other++;
            buckets[other] = (ushort)BtreeBlock.OffsetOf(4);
        })),
        Error("I33", "exactly the items", "one twice", v => InFreeingLeaf(v, b =>
        {
            int bucket = (BlockSurgery.BucketOf(b, 4) + 1) % BtreeBlockHeader.LeafHashBuckets;
            BlockSurgery.Buckets(b)[bucket] = (ushort)BtreeBlock.OffsetOf(4);
        })),
        Error("I33", "exactly the items", "between items", v => InFreeingLeaf(v, b =>
            BlockSurgery.Buckets(b)[BlockSurgery.Buckets(b).IndexOf(new Le16())] = 50)),
        Error("I33", "exactly the items", "behind the items", v => InFreeingLeaf(v, b =>
            BlockSurgery.Buckets(b)[BlockSurgery.Buckets(b).IndexOf(new Le16())] =
                (ushort)BtreeBlock.OffsetOf(BlockSurgery.Header(b).NrItems))),
        Error("I33", "each item found", "leaf of fs_root", v => v.EditLarge(LeafOf(v, "many/f040"), b =>
            BlockSurgery.Buckets(b)[BlockSurgery.BucketOf(b, 3)] = 0)),
        Error("I34", "height without a block", v => v.EditSuper((ref SuperBlock s) => s.MountedClients.Height = 1))
            .On(DefectOrigin.Plain),
        Error("I34", "block without a height", v => v.EditSuper((ref SuperBlock s) =>
            s.MountedClients.Ref = new BlockRef(FreeBlock(v), 5))).On(DefectOrigin.Plain),
        Error("I34", "height at most 20", v => v.EditSuper((ref SuperBlock s) =>
        {
            s.MountedClients.Height = 21;
            s.MountedClients.Ref = new BlockRef(FreeBlock(v), 5);
        })).On(DefectOrigin.Plain),
        Error("I34", "block without a height", "tree in use", v => v.EditSuper((ref SuperBlock s) =>
                s.MountedClients.Height = 0)),
        Error("I34", "height at most 20", "tree in use", v => v.EditSuper((ref SuperBlock s) =>
                s.MountedClients.Height = 255)),
        Error("I35", "parent without items", v => v.Rebuild(FreeingRoot(v), items => items.Clear()))
            .With("I60", "the blocks below cannot be found any more"),
        Warning("I35", "leaf without items", v => v.Rebuild(FreeingLeaf(v, 3), items => items.Clear())),
    ];

    private static ulong FreeingRoot(VolumeEditor v) =>
        Overlay<LogMergeFreeing>(v.Find(v.Super.LogMerge, FreeingKey)!.Value).Root.Ref.Blkno;

    /// <summary>Leaf 0..5 of the tree that is being freed; the first two are freed already.</summary>
    private static ulong FreeingLeaf(VolumeEditor v, int leaf) =>
        Overlay<BlockRef>(v.ItemsOf(FreeingRoot(v))[leaf].Value).Blkno;

    private static void InFreeingLeaf(VolumeEditor v, Action<byte[]> edit) => v.EditLarge(FreeingLeaf(v, 3), edit);

    /// <summary>Index of the item whose value lies lowest in the block.</summary>
    private static int LastValue(byte[] block)
    {
        int last = -1;
        for (int i = 0; i < BlockSurgery.Header(block).NrItems; i++)
        {
            if (BlockSurgery.Item(block, i).ValLen != 0)
                last = i;
        }

        return last;
    }
}

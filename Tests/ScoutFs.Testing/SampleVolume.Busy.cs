using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing;

public sealed partial class SampleVolume
{
    /// <summary>Makes <see cref="Busy"/>.</summary>
    private sealed class BusyVolume
    {
        private const ulong Root = FormatConstants.RootIno;
        private const uint FileBits = FileMode.Regular | 0x1a4;
        private const uint DirBits = FileMode.Directory | 0x1ed;
        private const ulong ZoneBlocks = 1048576;
        private const ulong MergeSeq = 500;

        private readonly SampleVolumeBuilder _builder = new(2, 4096, 2 * ZoneBlocks, seed: 1);
        private readonly SampleVolumeTree _tree = new(2);
        private readonly Dictionary<string, ulong> _inos = [];
        private readonly SampleVolumeLayer _inputA = new();
        private readonly SampleVolumeLayer _inputB = new();
        private readonly SampleVolumeLayer _left = new();
        private readonly SampleVolumeLayer _openA = new();
        private readonly SampleVolumeLayer _openB = new();

        // What has been merged and spliced so far: everything up to the middle of the totals.
        private static ItemKey MergedEnd => new(KeyZone.XattrTotal, 50, 0);

        public SampleVolume Make()
        {
            MakeMerged();
            MakeInputs();
            SampleVolumeTree.Merge(_tree.Merged, [_inputA, _inputB], ItemKey.Min, MergedEnd);
            MakeLogs();

            ref var super = ref _builder.Super;
            super.Seq = 1000;
            super.NextIno = _tree.NextIno + 1000;
            super.InodeCount = (ulong)_tree.Merged.InodeCountDelta;
            super.VolumeOptions.SetBits = 1;
            super.VolumeOptions.Values[VolumeOptions.DataAllocZoneBlocks] = ZoneBlocks;
            MakeQuorum();
            var merged = _builder.WriteTree(_tree.Merged.Items.Values, perLeaf: 16, perParent: 8)!;
            Invariant.Require(merged.Level == 2);
            super.FsRoot = merged.Root;
            super.LogsRoot = _builder.WriteTree(LogItems(), perLeaf: 3)!.Root;
            super.LogMerge = _builder.WriteTree(MergeItems(merged, super.LogsRoot), perLeaf: 4)!.Root;
            super.SrchRoot = _builder.WriteTree(SrchItems(), perLeaf: 6)!.Root;
            super.MountedClients = _builder.WriteTree(
                [Client(RidA, 0x0a000001, 0), Client(RidB, 0x0a000002, 0x5a)])!.Root;
            super.ServerMetaAvail[0] = _builder.WriteList(1000, 24);
            super.ServerMetaAvail[1] = _builder.WriteList(40);
            super.ServerMetaFreed[0] = _builder.WriteList(10);
            _builder.Finish();
            return new SampleVolume("sample-busy", _builder, _inos);
        }

        private static VolumeEditorItem Client(ulong rid, uint address, byte garbage)
        {
            var client = new MountedClient { Flags = MountedClient.FlagQuorum };
            client.Address.Family = InetAddress.FamilyIPv4;
            client.Address.Addr = address;
            client.Address.Port = 40000;

            // Linux leaves what was there before in the padding.
            client.Pad[3] = garbage;
            return Item(Keys.MountedClient(rid), client);
        }

        private static void SetEvent(
            ref QuorumBlock quorum, QuorumEventKind kind, ulong writeNr, ulong rid, ulong term)
        {
            ref var written = ref quorum.Events[(int)kind];
            written.WriteNr = writeNr;
            written.Rid = rid;
            written.Term = term;
            written.Sec = 1000 + writeNr;
        }

        // What was merged long ago.
        private void MakeMerged()
        {
            _tree.WriteTo(_tree.Merged, 20);
            ulong docs = Dir(Root, "docs");
            ulong readme = File(docs, "docs/readme.txt");
            SetText(readme, 3, 9000);
            _tree.Link(Root, "readme-too", readme);
            _ = File(docs, "docs/empty.txt");
            _ = File(docs, "docs/doomed.txt");
            ulong inner = Dir(docs, "docs/inner");
            _ = Dir(inner, "docs/inner/empty");
            _ = File(docs, "docs/moved.txt");

            // Two names with the same hash: a lookup has to compare names.
            _ = File(docs, "docs/report-of-the-year-2110081400015001980.t");
            _ = File(docs, "docs/report-of-the-year-2720035400452006010.t");

            ulong special = Dir(Root, "special");
            _inos["special/fifo"] = _tree.Create(special, "fifo", FileMode.Fifo | 0x1a4);
            _inos["special/socket"] = _tree.Create(special, "socket", FileMode.Socket | 0x1ed);
            _inos["special/disk"] = _tree.Create(
                special, "disk", FileMode.BlockDevice | 0x1b0, inode => inode.Item.Rdev = (8 << 20) | 1);
            _inos["special/tty"] = _tree.Create(
                special, "tty", FileMode.CharDevice | 0x1b0, inode => inode.Item.Rdev = (4 << 20) | 64);

            ulong links = Dir(Root, "links");
            _inos["links/short"] = _tree.CreateSymlink(links, "short", "../docs/readme.txt");
            _inos["links/one-part"] = _tree.CreateSymlink(links, "one-part", new string('o', 895));
            _inos["links/long"] = _tree.CreateSymlink(links, "long", new string('l', 2000));
            _inos["links/longest"] = _tree.CreateSymlink(links, "longest", new string('x', 4095));

            MakeArchive(Dir(Root, "archive"));
            MakeXattrs(Dir(Root, "xattrs"));
            MakeRules();

            ulong many = Dir(Root, "many");
            for (int i = 0; i < 60; i++)
                _ = File(many, $"many/f{i:d3}");

            // An unlinked file whose extents are being freed: its counts lag behind.
            ulong orphan = _inos["orphan"] = _tree.CreateUnnamed(FileBits, i => i.Item.Flags = InodeItem.FlagTruncate);
            _tree.SetExtents(orphan, 8192, (0, 2, _builder.AllocateData(2), 0));
            _tree.Change(orphan, inode => inode.Item.OnlineBlocks = 7);

            // A few inodes in other lock groups.
            _tree.NextIno = 2050;
            ulong far = Dir(Root, "far");
            _inos["far/short-item"] = _tree.Create(far, "short-item", FileBits, inode => inode.IsShort = true);
            _ = File(far, "far/kept");
            _inos["far/retained"] = _tree.Create(
                far, "retained", FileBits, inode => inode.Item.Flags = InodeItem.FlagRetention);
            _inos["far/project"] = _tree.Create(far, "project", FileBits, inode => inode.Item.Proj = 77);
            ulong gone = _inos["far/gone"] = _tree.Create(far, "gone", FileBits);
            _ = _tree.SetXattr(gone, "scoutfs.srch.gone", default);
        }

        private void MakeArchive(ulong dir)
        {
            const byte offline = DataExtentItem.FlagOffline;
            const byte unwritten = DataExtentItem.FlagUnwritten;
            _tree.SetExtents(File(dir, "archive/offline.bin"), 1 << 30, (0, 262144, 0, offline));
            _tree.SetExtents(
                File(dir, "archive/partly.bin"),
                40 * 4096,
                (0, 10, _builder.AllocateData(10), 0),
                (10, 20, 0, offline),
                (30, 10, _builder.AllocateData(10), 0));
            _tree.SetExtents(
                File(dir, "archive/staging.bin"),
                20 * 4096,
                (0, 4, _builder.AllocateData(4), 0),
                (4, 8, _builder.AllocateData(8), offline | unwritten),
                (12, 8, 0, offline));
            _tree.SetExtents(
                File(dir, "archive/unwritten.bin"),
                12 * 4096,
                (0, 4, _builder.AllocateData(4), 0),
                (4, 16, _builder.AllocateData(16), unwritten));
            _tree.SetExtents(
                File(dir, "archive/sparse.bin"),
                1UL << 40,
                (5, 1, _builder.AllocateData(1), 0),
                (100, 3, _builder.AllocateData(3), 0),
                ((1UL << 28) - 1, 1, _builder.AllocateData(1), 0));

            // Two extents that are neighbours in the file and on the device, but not of one kind.
            ulong blkno = _builder.AllocateData(8);
            _tree.SetExtents(
                File(dir, "archive/mixed.bin"), 8 * 4096, (0, 4, blkno, 0), (4, 4, blkno + 4, unwritten));

            // Extents in pieces that cannot be merged; whatever adjoins them on the device is free.
            var pieces = new (ulong, ulong, ulong, byte)[12];
            for (int i = 0; i < pieces.Length; i++)
                pieces[i] = ((ulong)(2 * i), 2, _builder.AllocateData(2, gap: 1 + (ulong)(i % 4)), 0);
            _tree.SetExtents(File(dir, "archive/pieces.bin"), 24 * 4096, pieces);
        }

        private void MakeXattrs(ulong dir)
        {
            ulong plain = File(dir, "xattrs/plain");
            _ = _tree.SetXattr(plain, "user.empty", default);
            _ = _tree.SetXattr(plain, "user.short", "value"u8);
            _ = _tree.SetXattr(plain, "user.one-part", new byte[896 - 8 - 13]);
            _ = _tree.SetXattr(plain, "user.two-parts", Pattern(896 - 8 - 14 + 1));
            _ = _tree.SetXattr(plain, "user.large", Pattern(65535));
            _ = _tree.SetXattr(plain, "user." + new string('n', 250), Pattern(3000));
            byte[] acl = [2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 4, 0, 4, 0, 255, 255, 255, 255, 32, 0, 4, 0,
                255, 255, 255, 255];
            _ = _tree.SetXattr(plain, "system.posix_acl_access", acl);
            ulong tagged = File(dir, "xattrs/tagged");
            _ = _tree.SetXattr(tagged, "scoutfs.hide.secret", "hidden"u8);
            _ = _tree.SetXattr(tagged, "scoutfs.hide.srch.totl.everything.30.2.3", "9"u8);
            _ = _tree.SetXattr(tagged, "scoutfs.indx.size.7.65536", default);
            _ = _tree.SetXattr(tagged, "scoutfs.hide.indx.size.255.0xffffffffffff", default);
            for (int i = 0; i < 20; i++)
            {
                ulong file = File(dir, $"xattrs/s{i:d2}");
                _ = _tree.SetXattr(file, "scoutfs.srch.color", Encoding.ASCII.GetBytes($"c{i}"));
                _ = _tree.SetXattr(file, $"scoutfs.srch.shape{i % 3}", default);
                _ = _tree.SetXattr(file, "scoutfs.totl.usage.10.0.1", Encoding.ASCII.GetBytes($"{100 + i}"));
                _ = _tree.SetXattr(file, "scoutfs.totl.usage.60.0.1", "0x10"u8);
            }

            for (int i = 0; i < 5; i++)
                _tree.RemoveXattr(_inos[$"xattrs/s{i:d2}"], "scoutfs.srch.color");
        }

        private void MakeRules()
        {
            var files = new QuotaRuleItem { Limit = 1000, Prio = 1, Op = 0, RuleFlags = 1 };
            files.NameVal[0] = 10;
            files.NameVal[2] = 1;
            _tree.AddQuotaRule(files);
            var blocks = new QuotaRuleItem { Limit = 1 << 20, Prio = 2, Op = 1 };
            blocks.NameVal[0] = 60;
            blocks.NameSource[2] = 2;
            blocks.NameVal[2] = 1000;
            blocks.NameFlags[2] = 1;
            _tree.AddQuotaRule(blocks);
        }

        // The finalized logs that the running merge works on.
        private void MakeInputs()
        {
            _tree.WriteTo(_inputA, 110);
            ulong docs = _inos["docs"];
            _tree.Rename(docs, "moved.txt", Root, "moved-here.txt");
            _inos["moved-here.txt"] = _inos["docs/moved.txt"];
            _tree.WriteTo(_inputA, 120);
            _tree.Destroy(_tree.Unlink(docs, "doomed.txt"));
            _ = _inos.Remove("docs/doomed.txt");
            for (int i = 10; i < 14; i++)
                _tree.Change(_inos[$"many/f{i:d3}"], inode => inode.Item.Uid = 2000);
            _tree.WriteTo(_inputB, 210);
            ulong usage = _inos["xattrs/s00"];
            _ = _tree.SetXattr(usage, "scoutfs.totl.more.10.0.1", "7"u8);
            _ = _tree.SetXattr(usage, "scoutfs.totl.more.60.0.1", "8"u8);
            _ = _tree.SetXattr(usage, "scoutfs.totl.more.70.0.1", "9"u8);
            _tree.WriteTo(_inputB, 220);
            ulong created = File(docs, "docs/created-in-log.txt");
            SetText(created, 1, 100);
            _ = _tree.SetXattr(created, "scoutfs.srch.color", default);
            _tree.RemoveXattr(_inos["far/gone"], "scoutfs.srch.gone");
            _tree.Destroy(_tree.Unlink(_inos["far"], "gone"));
            _ = _inos.Remove("far/gone");
        }

        // Logs written since the merge began.
        private void MakeLogs()
        {
            _tree.WriteTo(_left, 600);
            ulong left = Dir(Root, "left");
            _ = File(left, "left/file");
            _tree.Change(_inos["many/f011"], inode => inode.Item.Gid = 2000);
            _tree.WriteTo(_openA, 700);
            ulong open = Dir(Root, "open");
            for (int i = 0; i < 12; i++)
            {
                ulong file = File(open, $"open/a{i:d2}");
                SetText(file, 1, 1000 + i);
                _ = _tree.SetXattr(file, "scoutfs.srch.color", default);
            }

            _tree.WriteTo(_openA, 880);
            ulong usage = _inos["xattrs/s01"];
            _ = _tree.SetXattr(usage, "scoutfs.totl.last.10.0.1", "1"u8);
            _tree.RemoveXattr(usage, "scoutfs.totl.usage.60.0.1");
            _tree.RemoveXattr(_inos["open/a03"], "scoutfs.srch.color");
            _tree.WriteTo(_openB, 890);
            ulong unnamed = _inos["unnamed"] = _tree.CreateUnnamed(FileBits);
            _tree.SetExtents(unnamed, 4096, (0, 1, _builder.AllocateData(1), 0));
            _tree.Change(_inos["many/f020"], inode => inode.Item.Mtime.Sec = 1_800_000_000);
            _tree.Link(open, "f020-too", _inos["many/f020"]);
            _ = _tree.SetXattr(_inos["many/f020"], "scoutfs.srch.color", default);
            _tree.Rename(_inos["many"], "f030", _inos["many"], "f030-renamed");
            _inos["many/f030-renamed"] = _inos["many/f030"];
        }

        private void MakeQuorum()
        {
            ref var super = ref _builder.Super;
            _builder.SetSlot(0, 0x0a000001, 12345);
            _builder.SetSlot(1, 0x0a000002, 12345);
            _builder.SetSlot(4, 0x0a000001, 12346);

            // Linux leaves rubbish behind the IPv4 address.
            super.QuorumConfig.Slots[0].Rest[5] = 0xa5;
            var leader = new QuorumBlock { WriteNr = 10 };
            SetEvent(ref leader, QuorumEventKind.Stop, 5, 1, 3);
            SetEvent(ref leader, QuorumEventKind.End, 6, 1, 3);
            SetEvent(ref leader, QuorumEventKind.Begin, 7, RidA, 0);
            SetEvent(ref leader, QuorumEventKind.Term, 8, RidA, 5);
            SetEvent(ref leader, QuorumEventKind.Elect, 9, RidA, 5);
            SetEvent(ref leader, QuorumEventKind.Fence, 10, RidA, 5);
            _builder.WriteQuorum(0, leader);
            var follower = new QuorumBlock { WriteNr = 2 };
            SetEvent(ref follower, QuorumEventKind.Begin, 1, RidB, 0);
            SetEvent(ref follower, QuorumEventKind.Term, 2, RidB, 5);
            _builder.WriteQuorum(1, follower);
        }

        private List<VolumeEditorItem> LogItems()
        {
            var openA = Open(_builder, RidA, 2, _openA, perLeaf: 12);
            openA.MetaAvail = _builder.WriteList(30, 20);
            openA.MetaFreed = _builder.WriteList(5, 0);
            openA.DataAvail = _builder.WriteExtents(DataExtents(6, 500));
            openA.DataFreed = _builder.WriteExtents(DataExtents(2, 3));
            openA.SrchFile = _builder.WriteSrch(TakeSrch(3));
            openA.GetTransSeq = 900;
            openA.CommitTransSeq = 885;
            openA.MaxItemSeq = 880;
            var openB = Open(_builder, RidB, 2, _openB, perLeaf: 100);
            openB.MetaAvail = _builder.WriteList(12);
            openB.MetaFreed = _builder.WriteList(0, 7);
            openB.GetTransSeq = 895;
            openB.CommitTransSeq = 895;
            openB.MaxItemSeq = 890;

            // The second zone of the data device. Nothing may be taken before it any more.
            openB.DataAvail = _builder.WriteExtents([(_builder.AllocateDataAt(ZoneBlocks + 5000, 2000), 2000)]);
            openA.DataAvail.Flags = AllocRoot.FlagLow;
            openB.DataAvail.Flags = AllocRoot.FlagLow;
            openA.DataAllocZoneBlocks = ZoneBlocks;
            openA.DataAllocZones[0] = 1;
            openB.DataAllocZoneBlocks = ZoneBlocks;
            openB.DataAllocZones[0] = 2;
            List<VolumeEditorItem> items =
            [
                Item(Finalized(_builder, RidA, 1, _inputA, 130, 120, 400, perLeaf: 10)),
                Item(openA),
                Item(Finalized(_builder, RidB, 1, _inputB, 230, 220, 401)),
                Item(openB),
                Item(Finalized(_builder, RidC, 1, _left, 605, 600, 650)),
            ];
            items.Sort((left, right) => ItemKey.Compare(left.Key, right.Key));
            return items;
        }

        private List<(ulong Start, ulong Count)> DataExtents(int extents, ulong count)
        {
            List<(ulong Start, ulong Count)> list = [];
            for (int i = 0; i < extents; i++)
                list.Add((_builder.AllocateData(count + (ulong)i), count + (ulong)i));
            return list;
        }

        // A merge in the middle: one range done and spliced, one done, one being worked on, two not begun.
        private List<VolumeEditorItem> MergeItems(SampleVolumeNode merged, BtreeRoot logsRoot)
        {
            int done = FindDone(merged);
            var (doneStart, doneEnd) = (merged.Children[done - 1].UpperBound.Next(), merged.Children[done].UpperBound);
            int working = done + 1;
            var workingEnd = merged.Children[working].UpperBound;
            Invariant.Require(working < merged.Children.Count - 1);
            var spliced = new LogMergeComplete
            {
                Root = merged.Children[0].Root,
                End = MergedEnd,
                Rid = RidA,
                Seq = 510,
            };
            var request = new LogMergeRequest
            {
                MetaAvail = _builder.WriteList(6),
                MetaFreed = _builder.WriteList(2),
                LogsRoot = logsRoot,
                Root = merged.Children[working].Root,
                Start = doneEnd.Next(),
                End = workingEnd,
                InputSeq = MergeSeq,
                Rid = RidA,
                Seq = 530,
                Flags = LogMergeRequest.FlagSubtree,
            };
            var status = new LogMergeStatus
            {
                NextRangeKey = new ItemKey(KeyZone.MergeRange, 0, 0),
                NrRequests = 1,
                NrComplete = 8,
                Seq = MergeSeq,
            };
            List<VolumeEditorItem> items =
            [
                Item(new ItemKey(KeyZone.MergeStatus, 0, 0), status),
                Range(MergedEnd.Next(), doneStart.Previous()),
                Range(workingEnd.Next(), ItemKey.Max),
                Item(new ItemKey(KeyZone.MergeRequest, RidA, 0, request.Seq), request),
                Item(new ItemKey(KeyZone.MergeComplete, 510, 0), spliced),
                Item(new ItemKey(KeyZone.MergeComplete, 520, 0), Unspliced(merged.Children[done], doneStart)),
                Item(new ItemKey(KeyZone.MergeFreeing, 300, 0), Freeing()),
            ];
            items.Sort((left, right) => ItemKey.Compare(left.Key, right.Key));
            return items;
        }

        private static VolumeEditorItem Range(ItemKey start, ItemKey end)
        {
            var key = start;
            key.Zone = KeyZone.MergeRange;
            return Item(key, new LogMergeRange { Start = start, End = end });
        }

        // The first subtree, not at an edge, that the inputs change in some but not in all of its leaves.
        private int FindDone(SampleVolumeNode merged)
        {
            for (int i = 1; i < merged.Children.Count - 2; i++)
            {
                var start = merged.Children[i - 1].UpperBound.Next();
                int changed = ChangesByLeaf(merged.Children[i], start).Count(changes => changes.Count > 0);
                if (start > MergedEnd && changed > 0 && changed < merged.Children[i].Children.Count)
                    return i;
            }

            throw new InvalidOperationException("The sample has no subtree to merge.");
        }

        private List<List<VolumeEditorItem>> ChangesByLeaf(SampleVolumeNode subtree, ItemKey start)
        {
            List<List<VolumeEditorItem>> changes = [];
            foreach (var leaf in subtree.Children)
            {
                changes.Add([.. SampleVolumeTree.Combine([_inputA, _inputB], start, leaf.UpperBound)]);
                start = leaf.UpperBound.Next();
            }

            return changes;
        }

        private LogMergeComplete Unspliced(SampleVolumeNode old, ItemKey start)
        {
            List<ulong> freed = [old.Ref.Blkno];
            List<SampleVolumeNode> leaves = [];
            var changes = ChangesByLeaf(old, start);
            for (int i = 0; i < changes.Count; i++)
            {
                var leaf = old.Children[i];
                if (changes[i].Count == 0)
                {
                    leaves.Add(leaf);
                    continue;
                }

                var items = new SortedDictionary<ItemKey, VolumeEditorItem>();
                foreach (var item in leaf.Items)
                    items.Add(item.Key, item);
                foreach (var item in changes[i])
                    SampleVolumeTree.MergeItem(items, item);
                Invariant.Require(items.Count > 0);
                leaves.Add(_builder.WriteLeaf([.. items.Values], leaf.UpperBound));
                freed.Add(leaf.Ref.Blkno);
            }

            return new LogMergeComplete
            {
                MetaAvail = _builder.WriteList(4),
                MetaFreed = _builder.WriteListOf(freed, freed.Count),
                Root = _builder.WriteParent(leaves).Root,
                Start = start,
                End = old.UpperBound,
                Rid = RidB,
                Seq = 520,
            };
        }

        // A tree of an earlier merge, whose first leaves have been freed already; deletions in it are in order.
        private LogMergeFreeing Freeing()
        {
            List<VolumeEditorItem> items = [];
            for (ulong ino = 1100; ino < 1160; ino++)
            {
                byte flags = ino % 3 == 0 ? BtreeItem.FlagDeletion : (byte)0;
                items.Add(new VolumeEditorItem(Keys.Inode(ino), 90, flags, flags == 0 ? new byte[168] : []));
            }

            var tree = _builder.WriteTree(items, perLeaf: 10)!;
            _builder.FreeMeta(tree.Children[0].Ref.Blkno);
            _builder.FreeMeta(tree.Children[1].Ref.Blkno);
            return new LogMergeFreeing { Root = tree.Root, Key = tree.Children[1].UpperBound.Next(), Seq = 300 };
        }

        private List<VolumeEditorItem> SrchItems()
        {
            var items = new List<VolumeEditorItem>();
            var sorted = _builder.WriteSrch(SortedFile(TakeSrch(14)), perLeaf: 4);
            AddFile(items, KeyType.SrchSorted, sorted);
            var merging = new List<SrchFile>();
            for (int i = 0; i < 4; i++)
            {
                merging.Add(_builder.WriteSrch(SortedFile(TakeSrch(5)), perLeaf: i == 1 ? 2 : 100));
                AddFile(items, KeyType.SrchSorted, merging[i]);
            }

            var logs = new List<SrchFile>();
            for (int i = 0; i < 4; i++)
            {
                logs.Add(_builder.WriteSrch(TakeSrch(3), perLeaf: i == 2 ? 2 : 100));
                AddFile(items, KeyType.SrchLog, logs[i]);
            }

            var output = SortedFile(TakeSrch(8));
            var deleted = _builder.WriteSrch(output, perLeaf: 5);
            AddFile(items, KeyType.SrchSorted, deleted);
            AddFile(items, KeyType.SrchLog, _builder.WriteSrch(TakeSrch(int.MaxValue), perLeaf: 2));

            var pending = Compaction(SrchCompact.FlagLog, logs);
            items.Add(Item(new ItemKey(KeyZone.Srch, 0, KeyType.SrchPending, pending.Id), pending));
            var sorting = Compaction(SrchCompact.FlagSorted, merging);
            sorting.Out = _builder.WriteSrch([output[0], output[1]]);
            sorting.Inputs[1].Blk = 1;
            sorting.Inputs[0].Pos = 12;
            sorting.MetaAvail = _builder.WriteList(9);
            items.Add(Item(new ItemKey(KeyZone.Srch, 0, KeyType.SrchBusy, RidA, sorting.Id), sorting));
            var deleting = Deleting(output);
            deleting.Out = deleted;
            items.Add(Item(new ItemKey(KeyZone.Srch, 0, KeyType.SrchBusy, RidB, deleting.Id), deleting));
            items.Sort((left, right) => ItemKey.Compare(left.Key, right.Key));
            return items;
        }

        private static void AddFile(List<VolumeEditorItem> items, byte type, SrchFile file) =>
            items.Add(type == KeyType.SrchLog
                ? Item(new ItemKey(KeyZone.Srch, 0, type, file.Ref.Blkno), file)
                : Item(new ItemKey(KeyZone.Srch, 0, type, file.Blocks, file.Ref.Blkno), file));

        private static SrchCompact Compaction(byte flags, List<SrchFile> inputs)
        {
            var compaction = new SrchCompact { Id = inputs[0].Ref.Blkno, Nr = (byte)inputs.Count, Flags = flags };
            for (int i = 0; i < inputs.Count; i++)
                compaction.Inputs[i].File = inputs[i];
            return compaction;
        }

        // Inputs whose entries are in the output: one down to its root, one partly, one freed, one not yet.
        private SrchCompact Deleting(List<SrchEntry> entries)
        {
            List<ulong> freed = [];
            List<SrchFile> inputs =
            [
                _builder.WriteSrch(entries, 2),
                _builder.WriteSrch(entries, 2),
                _builder.WriteSrch(entries, 100),
                _builder.WriteSrch(entries, 100),
            ];
            var compaction = Compaction(SrchCompact.FlagDelete, inputs);
            freed.AddRange(Leaves(inputs[0]));
            compaction.Inputs[0].Pos = 2;
            freed.AddRange(Leaves(inputs[1]).Take(2));
            compaction.Inputs[1].Blk = 2;
            compaction.Inputs[1].Pos = 1;
            freed.Add(inputs[2].Ref.Blkno);
            compaction.Inputs[2].Pos = 2;
            compaction.MetaAvail = _builder.WriteList(3);
            compaction.MetaFreed = _builder.WriteListOf(freed, freed.Count);
            return compaction;
        }

        private IEnumerable<ulong> Leaves(SrchFile file)
        {
            byte[] parent = new byte[FormatConstants.LargeBlockBytes];
            _builder.Meta.Read((long)file.Ref.Blkno.Value * FormatConstants.LargeBlockBytes, parent);
            for (int i = 0; i < (int)file.Blocks.Value; i++)
                yield return Disk.Ref<BlockRef>(parent.AsSpan(), 32 + (16 * i)).Blkno;
        }

        private List<SrchEntry> TakeSrch(int count)
        {
            var taken = _tree.SrchEntries.Take(count).ToList();
            Invariant.Require(taken.Count > 0);
            _tree.SrchEntries.RemoveRange(0, taken.Count);
            return taken;
        }

        private ulong Dir(ulong parent, string path) => _inos[path] = _tree.Create(parent, NameOf(path), DirBits);

        private ulong File(ulong parent, string path) => _inos[path] = _tree.Create(parent, NameOf(path), FileBits);

        private static string NameOf(string path) => path[(path.LastIndexOf('/') + 1)..];

        private void SetText(ulong ino, ulong blocks, int bytes)
        {
            ulong blkno = _builder.AllocateData(blocks);
            var contents = new byte[blocks * FormatConstants.SmallBlockBytes];
            Pattern(bytes).CopyTo(contents, 0);
            _builder.WriteData(blkno, contents);
            _tree.SetExtents(ino, (ulong)bytes, (0, blocks, blkno, 0));
        }

        private static byte[] Pattern(int length)
        {
            byte[] bytes = new byte[length];
            for (int i = 0; i < length; i++)
                bytes[i] = (byte)('a' + (i % 26));
            return bytes;
        }
    }
}

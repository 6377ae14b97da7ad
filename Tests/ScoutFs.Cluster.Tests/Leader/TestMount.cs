using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Leader;
using ScoutFs.Volume.Allocation;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Srch;

namespace ScoutFs.Cluster.Tests.Leader;

/// <summary>
/// As much of a mount as a leader can tell from a real one: transactions that write to its log tree, with blocks from
/// its lists. Its files are unlinked ones that are still open: an inode, its index items, an orphan item and extents.
/// </summary>
internal sealed class TestMount : IDisposable
{
    private readonly IBlockDevice _meta;
    private readonly BlockCache _cache;
    private readonly BlockWriter _writer;
    private readonly Dictionary<ulong, List<FreeExtent>> _files = [];
    private readonly Dictionary<ulong, ulong> _seqs = [];
    private readonly HashSet<ulong> _bloomKeys = [];
    private LogTrees _log;
    private ulong _nextIno;
    private ulong _inosLeft;

    public TestMount(IBlockDevice meta, in SuperBlock super, ulong rid, Prng prng)
    {
        Rid = rid;
        _meta = meta;
        ulong fsid = super.Header.Fsid;
        ulong total = (ulong)meta.SizeBytes / FormatConstants.LargeBlockBytes;
        _cache = new BlockCache(meta, 128, fsid, total, BtreeShape.Verify);
        _writer = new BlockWriter(meta, 2048, fsid, prng.Fork("mount blocks"));
        Prng = prng.Fork("mount");
    }

    public ulong Rid { get; }

    public Prng Prng { get; }

    public ref LogTrees Log => ref _log;

    /// <summary>Files as of the last transaction that was committed.</summary>
    public int CommittedFiles { get; private set; }

    /// <summary>The transaction as sent, to be sent again.</summary>
    public LogTrees LastSent { get; private set; }

    public async Task GreetAsync(LeaderServer leader, bool isMember = false)
    {
        var address = new InetAddress { Family = InetAddress.FamilyIPv4, Port = 4000, Addr = 0x7f000001 };
        Assert.That(
            await leader.GreetAsync(Rid, address, isMember, CancellationToken.None), Is.EqualTo(FsError.None));
    }

    public async Task<FsError> OpenAsync(LeaderServer leader)
    {
        var (error, log) = await leader.GetLogTreesAsync(Rid, CancellationToken.None);
        if (error != FsError.None)
            return error;
        if (log.Nr != _log.Nr)
            _bloomKeys.Clear();
        _log = log;
        return FsError.None;
    }

    /// <summary>Adds srch entries to the open transaction, each twice: as of an xattr that came and went.</summary>
    public async Task AddSrchAsync(int pairs)
    {
        var allocator = await OpenAllocatorAsync();
        var srch = new SrchLog(_cache, _writer, allocator, _log.SrchFile);
        for (int i = 0; i < pairs; i++)
        {
            var entry = new SrchEntry(Prng.NextUInt64(), 1 + Prng.NextUInt64(1000), Prng.NextUInt64(1000));
            Assert.That(await srch.PrepareAsync(2, CancellationToken.None), Is.EqualTo(FsError.None));
            srch.Append(entry);
            srch.Append(entry);
        }

        _log.SrchFile = srch.File;
        await StoreAsync(allocator);
    }

    /// <summary>Writes files into the open transaction; what is sent with <see cref="CommitAsync"/>.</summary>
    public async Task WriteAsync(LeaderServer leader, int creates, int removes, ulong blocksPerFile = 20)
    {
        while (_inosLeft < (ulong)creates)
        {
            var (inoError, range) = await leader.AllocateInodesAsync(Rid, 1000, CancellationToken.None);
            Assert.That(inoError, Is.EqualTo(FsError.None));
            (_nextIno, _inosLeft) = (range.Ino, range.Nr);
        }

        var allocator = await OpenAllocatorAsync();
        using var trees = new BtreeWriter(_cache, _writer, allocator);
        using var extents = new ExtentAllocator(_cache, _writer, allocator);
        for (int i = 0; i < creates; i++)
            await CreateAsync(trees, extents, allocator, blocksPerFile);
        foreach (ulong ino in _files.Keys.Take(removes).ToList())
            await RemoveAsync(trees, extents, allocator, ino);
        await StoreAsync(allocator);
    }

    /// <summary>Appends srch entries to the open transaction.</summary>
    public async Task WriteSrchAsync(IReadOnlyList<SrchEntry> entries)
    {
        var allocator = await OpenAllocatorAsync();
        var log = new SrchLog(_cache, _writer, allocator, _log.SrchFile);
        Assert.That(await log.PrepareAsync(entries.Count, CancellationToken.None), Is.EqualTo(FsError.None));
        foreach (var entry in entries)
            log.Append(entry);
        _log.SrchFile = log.File;
        await StoreAsync(allocator);
    }

    public async Task<FsError> CommitAsync(LeaderServer leader)
    {
        LastSent = _log;
        var error = await leader.CommitLogTreesAsync(Rid, _log, CancellationToken.None);
        if (error == FsError.None)
            CommittedFiles = _files.Count;
        return error;
    }

    /// <summary>A whole transaction.</summary>
    public async Task RunAsync(LeaderServer leader, int creates, int removes, ulong blocksPerFile = 20)
    {
        Assert.That(await OpenAsync(leader), Is.EqualTo(FsError.None));
        await WriteAsync(leader, creates, removes, blocksPerFile);
        Assert.That(await CommitAsync(leader), Is.EqualTo(FsError.None));
    }

    public void Dispose()
    {
        _writer.Dispose();
        _cache.Dispose();
    }

    private async Task<ListAllocator> OpenAllocatorAsync()
    {
        var (error, allocator, fault) = await ListAllocator.OpenAsync(
            _cache, _writer, _log.MetaAvail, _log.MetaFreed, CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None), $"{fault}");
        return allocator!;
    }

    private async Task StoreAsync(ListAllocator allocator)
    {
        _log.MetaAvail = allocator.Avail;
        _log.MetaFreed = allocator.Freed;
        Assert.That(await _writer.WriteAllAsync(CancellationToken.None), Is.EqualTo(FsError.None));
        Assert.That(await _meta.FlushAsync(CancellationToken.None), Is.EqualTo(FsError.None));
        _writer.MoveTo(_cache);
    }

    private async Task CreateAsync(
        BtreeWriter trees, ExtentAllocator extents, IBlockAllocator allocator, ulong blocksPerFile)
    {
        ulong ino = _nextIno++;
        _inosLeft--;
        ulong seq = _log.GetTransSeq;
        var inode = new InodeItem
        {
            Size = blocksPerFile * FormatConstants.SmallBlockBytes,
            MetaSeq = seq,
            DataSeq = seq,
            OnlineBlocks = blocksPerFile,
            Mode = FileMode.Regular | 0x1a4,
        };
        var file = new List<FreeExtent>();
        ulong logical = 0;
        while (logical < blocksPerFile)
        {
            // Pieces with gaps between them, so that what is freed later is fragmented.
            (var error, _log.DataAvail, var taken) = await extents.TakeAsync(
                _log.DataAvail, Math.Min(blocksPerFile - logical, 1 + Prng.NextUInt64(8)), CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None));
            if (taken.Count == 0)
                break;
            logical += taken.Count;
            file.Add(taken);
            var value = new DataExtentItem { Blkno = taken.Start };
            await PutAsync(trees, allocator, Keys.DataExtent(ino, logical - 1, taken.Count), 0, Bytes(value));
        }

        await PutAsync(trees, allocator, Keys.Inode(ino), 0, Bytes(inode));
        await PutAsync(trees, allocator, Keys.Orphan(ino), 0, []);
        await PutAsync(trees, allocator, Keys.MetaSeqIndex(seq, ino), 0, []);
        await PutAsync(trees, allocator, Keys.DataSeqIndex(seq, ino), 0, []);
        _files.Add(ino, file);
        _seqs[ino] = seq;
        _log.InodeCountDelta = _log.InodeCountDelta + 1;
    }

    private async Task RemoveAsync(
        BtreeWriter trees, ExtentAllocator extents, IBlockAllocator allocator, ulong ino)
    {
        ulong logical = 0;
        foreach (var extent in _files[ino])
        {
            logical += extent.Count;
            await PutAsync(
                trees, allocator, Keys.DataExtent(ino, logical - 1, extent.Count), BtreeItem.FlagDeletion, []);
            (var error, _log.DataFreed) = await extents.InsertAsync(_log.DataFreed, extent, CancellationToken.None);
            Assert.That(error, Is.EqualTo(FsError.None));
        }

        await PutAsync(trees, allocator, Keys.Inode(ino), BtreeItem.FlagDeletion, []);
        await PutAsync(trees, allocator, Keys.Orphan(ino), BtreeItem.FlagDeletion, []);
        await PutAsync(trees, allocator, Keys.MetaSeqIndex(_seqs[ino], ino), BtreeItem.FlagDeletion, []);
        await PutAsync(trees, allocator, Keys.DataSeqIndex(_seqs[ino], ino), BtreeItem.FlagDeletion, []);
        _ = _files.Remove(ino);
        _log.InodeCountDelta = _log.InodeCountDelta - 1;
    }

    private async Task PutAsync(BtreeWriter trees, IBlockAllocator allocator, ItemKey key, byte flags, byte[] value)
    {
        await SetBloomAsync(allocator, key);
        ulong seq = _log.GetTransSeq;
        (var error, _log.ItemRoot) = await trees.ForceAsync(
            _log.ItemRoot, key, seq, flags, value, CancellationToken.None);
        Assert.That(error, Is.EqualTo(FsError.None), $"{trees.Fault}");
        _log.MaxItemSeq = Math.Max(_log.MaxItemSeq, seq);
    }

    private async Task SetBloomAsync(IBlockAllocator allocator, ItemKey key)
    {
        var lockStart = Keys.LockStart(key);
        if (!_bloomKeys.Add(Fnv1a.Hash64(Disk.Bytes(in lockStart))))
            return;
        if (_log.BloomRef.IsNone)
        {
            _ = _writer.Create(ref _log.BloomRef, BlockMagic.Bloom, allocator);
        }
        else if (!_writer.TryGet(_log.BloomRef, out _))
        {
            BlockLease lease;
            while (!_cache.TryGet(_log.BloomRef, BlockMagic.Bloom, out lease))
            {
                var read = await _cache.LoadAsync(_log.BloomRef, BlockMagic.Bloom, CancellationToken.None);
                Assert.That(read.Error, Is.EqualTo(FsError.None));
            }

            _ = _writer.Copy(ref _log.BloomRef, BlockMagic.Bloom, lease.Bytes, allocator);
            lease.Dispose();
        }

        _ = _writer.TryGet(_log.BloomRef, out var bloom);
        var (first, second, third) = new BloomProbe(lockStart).Bits;
        foreach (uint bit in (uint[])[first, second, third])
        {
            ref byte at = ref bloom[40 + (int)(bit / 8)];
            byte mask = (byte)(1 << (int)(bit % 8));
            if ((at & mask) != 0)
                continue;
            at |= mask;
            ref var header = ref Disk.Ref<BloomBlockHeader>(bloom);
            header.TotalSet = header.TotalSet + 1;
        }
    }

    private static byte[] Bytes<T>(T value)
        where T : unmanaged => Disk.Bytes(in value).ToArray();
}

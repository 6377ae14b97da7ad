using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Data;

/// <summary>File data on its way to the data device, by the blocks it goes to (engine §5.6).</summary>
/// <remarks>
/// <para>A chunk is 64 KiB of the device, 16 blocks. It exists while one of its blocks is dirty or being written, so
/// nothing here outlives a commit and nothing can become outdated. Writing goes on in the background once enough is
/// dirty; a commit writes the rest and flushes.</para>
/// <para>A block may change while it is written: it stays dirty and is written again.</para>
/// <para>Guarded by the mount's gate, except for what says otherwise. As a need it waits for room.</para>
/// </remarks>
public sealed class DataBuffers : IDataWriteback, IOperationNeed, IDisposable
{
    /// <summary>Blocks of 4 KiB in a chunk.</summary>
    public const int ChunkBlocks = FormatConstants.LargeBlockBytes / FormatConstants.SmallBlockBytes;

    private const int MaxVector = 16;
    private const int MaxWrites = 8;

    private readonly Lock _gate;
    private readonly IBlockDevice _device;
    private readonly BlockPool _pool;
    private readonly Dictionary<ulong, Chunk> _chunks = [];
    private readonly List<Chunk> _work = [];
    private Task<FsError>? _writing;
    private bool _mustFlush;

    /// <summary>Creates empty buffers.</summary>
    /// <param name="gate">The mount's gate.</param>
    /// <param name="device">Data device.</param>
    /// <param name="capacityBytes">Memory, at least 1 MiB.</param>
    public DataBuffers(Lock gate, IBlockDevice device, long capacityBytes)
    {
        Invariant.Require(capacityBytes >= 1 << 20);
        _gate = gate;
        _device = device;
        _pool = new BlockPool((int)(capacityBytes / BlockPool.BlockBytes));
    }

    /// <summary>The data device.</summary>
    public IBlockDevice Device => _device;

    /// <summary>Chunks that can be made dirty without waiting.</summary>
    public int RoomChunks => _pool.CapacityBlocks - _chunks.Count;

    /// <summary>Grows whenever blocks may have gone to the device and left: what was read before is outdated.</summary>
    public ulong WriteStamp { get; private set; }

    /// <summary>The contents of a block that is not on the device yet.</summary>
    public bool TryGet(ulong blkno, out ReadOnlySpan<byte> block)
    {
        if (_chunks.TryGetValue(blkno / ChunkBlocks, out var chunk) && ((chunk.Held >> IndexOf(blkno)) & 1) != 0)
        {
            block = chunk.Block(blkno);
            return true;
        }

        block = default;
        return false;
    }

    /// <summary>Makes a block dirty; the caller fills it, or changes it when it was held.</summary>
    /// <remarks>The caller has checked <see cref="RoomChunks"/>. A block that was not held is undefined.</remarks>
    public Span<byte> Dirty(ulong blkno)
    {
        ulong number = blkno / ChunkBlocks;
        if (!_chunks.TryGetValue(number, out var chunk))
        {
            var memory = _pool.TryRent();
            Invariant.Require(memory is not null);
            chunk = new Chunk(number, memory);
            _chunks.Add(number, chunk);
        }

        ushort bit = (ushort)(1 << IndexOf(blkno));
        chunk.Dirty |= bit;
        chunk.Held |= bit;
        return chunk.Block(blkno);
    }

    /// <summary>Keeps the contents of a block as they are on the device, unless it is held already.</summary>
    /// <remarks>Clean contents go with the next writing; until then every change goes through here.</remarks>
    public void PutClean(ulong blkno, ReadOnlySpan<byte> contents)
    {
        if (TryGet(blkno, out _) || RoomChunks == 0)
            return;
        var block = Dirty(blkno);
        contents.CopyTo(block);
        var chunk = _chunks[blkno / ChunkBlocks];
        chunk.Dirty &= (ushort)~(1 << IndexOf(blkno));
    }

    /// <summary>Forgets blocks that were freed.</summary>
    public void Discard(ulong blkno, ulong count)
    {
        ulong end = blkno + count;
        if (_chunks.Count == 0)
            return;
        if (count / ChunkBlocks > (ulong)_chunks.Count)
        {
            foreach (var chunk in _chunks.Values)
                Discard(chunk, Math.Max(blkno, chunk.First), Math.Min(end, chunk.First + ChunkBlocks));
            RemoveIdle();
            return;
        }

        for (ulong at = blkno; at < end;)
        {
            ulong next = Math.Min(end, ((at / ChunkBlocks) + 1) * ChunkBlocks);
            if (_chunks.TryGetValue(at / ChunkBlocks, out var chunk))
            {
                Discard(chunk, at, next);
                RemoveIfIdle(chunk);
            }

            at = next;
        }
    }

    /// <summary>Starts writing in the background when enough is dirty.</summary>
    public void Kick()
    {
        if (_writing is null && _chunks.Count >= Math.Min(_pool.CapacityBlocks / 4, 256))
            _writing = WriteOutAsync();
    }

    /// <inheritdoc/>
    public async ValueTask<FsError> FlushAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task<FsError> writing;
            lock (_gate)
            {
                if (_chunks.Count == 0)
                    break;
                writing = _writing ??= WriteOutAsync();
            }

            var error = await writing;
            if (error != FsError.None)
                return error;
        }

        lock (_gate)
        {
            if (!_mustFlush)
                return FsError.None;
            _mustFlush = false;
        }

        var flushed = await _device.FlushAsync(cancellationToken);
        if (flushed != FsError.None)
        {
            lock (_gate)
                _mustFlush = true;
        }

        return flushed;
    }

    /// <inheritdoc/>
    public async ValueTask<FsError> ResolveAsync(CancellationToken cancellationToken)
    {
        Task<FsError> writing;
        lock (_gate)
        {
            // How much room is enough only the operation knows: whoever asks gets a writing, or all the room there is.
            if (_chunks.Count == 0)
                return FsError.None;
            writing = _writing ??= WriteOutAsync();
        }

        return await writing.OrCancelledAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var chunk in _chunks.Values)
            _pool.Return(chunk.Memory);
        _chunks.Clear();
        _pool.Dispose();
    }

    private static int IndexOf(ulong blkno) => (int)(blkno % ChunkBlocks);

    private static void Discard(Chunk chunk, ulong from, ulong end)
    {
        for (ulong blkno = from; blkno < end; blkno++)
        {
            ushort mask = (ushort)~(1 << IndexOf(blkno));
            chunk.Dirty &= mask;
            chunk.Held &= mask;
        }
    }

    private void RemoveIfIdle(Chunk chunk)
    {
        if (chunk.Dirty != 0 || chunk.IsWriting)
            return;
        _ = _chunks.Remove(chunk.Number);
        _pool.Return(chunk.Memory);
    }

    // Clean contents go too.
    private void RemoveIdle()
    {
        _work.Clear();
        _work.AddRange(_chunks.Values);
        foreach (var chunk in _work)
            RemoveIfIdle(chunk);
    }

    // Writes what is dirty now, in order of blocks. Started with the gate held.
    private async Task<FsError> WriteOutAsync()
    {
        var chunks = new List<Chunk>();
        foreach (var chunk in _chunks.Values)
        {
            if (chunk.Dirty != 0)
                chunks.Add(chunk);
        }

        chunks.Sort(static (left, right) => left.Number.CompareTo(right.Number));
        foreach (var chunk in chunks)
        {
            chunk.IsWriting = true;
            chunk.Writing = chunk.Dirty;
            chunk.Dirty = 0;
        }

        _mustFlush |= chunks.Count > 0;
        await Task.Yield();
        var error = await WriteRunsAsync(chunks);
        lock (_gate)
        {
            foreach (var chunk in chunks)
            {
                if (error != FsError.None)
                    chunk.Dirty |= (ushort)(chunk.Writing & chunk.Held);
                chunk.Writing = 0;
                chunk.IsWriting = false;
                chunk.Held = chunk.Dirty;
            }

            RemoveIdle();
            WriteStamp++;
            _writing = null;
        }

        return error;
    }

    private async ValueTask<FsError> WriteRunsAsync(List<Chunk> chunks)
    {
        var writes = new Queue<Task<FsError>>();
        var result = FsError.None;
        var vector = new List<ReadOnlyMemory<byte>>();
        ulong start = 0;
        ulong end = 0;
        foreach (var chunk in chunks)
        {
            for (int i = 0; i < ChunkBlocks;)
            {
                int length = RunLength(chunk.Writing, ref i);
                if (length == 0)
                    break;
                ulong blkno = chunk.First + (ulong)i;
                if (vector.Count > 0 && (blkno != end || vector.Count == MaxVector))
                {
                    result = await SubmitAsync(writes, start, vector, result);
                    vector = [];
                }

                if (vector.Count == 0)
                    start = blkno;
                vector.Add(chunk.Memory.Memory.Slice(
                    i * FormatConstants.SmallBlockBytes, length * FormatConstants.SmallBlockBytes));
                end = blkno + (ulong)length;
                i += length;
            }
        }

        if (vector.Count > 0)
            result = await SubmitAsync(writes, start, vector, result);
        while (writes.TryDequeue(out var write))
            result = Worse(result, await write);
        return result;
    }

    private async ValueTask<FsError> SubmitAsync(
        Queue<Task<FsError>> writes, ulong start, List<ReadOnlyMemory<byte>> vector, FsError result)
    {
        writes.Enqueue(_device.WriteAsync(
            (long)start * FormatConstants.SmallBlockBytes, vector, CancellationToken.None).AsTask());
        return writes.Count < MaxWrites ? result : Worse(result, await writes.Dequeue());
    }

    private static FsError Worse(FsError one, FsError other) => one == FsError.None ? other : one;

    // Length of the next run of set bits from i on; i is moved to its start.
    private static int RunLength(ushort bits, ref int i)
    {
        while (i < ChunkBlocks && ((bits >> i) & 1) == 0)
            i++;
        int length = 0;
        while (i + length < ChunkBlocks && ((bits >> (i + length)) & 1) != 0)
            length++;
        return length;
    }

    private sealed class Chunk(ulong number, PooledBlock memory)
    {
        public readonly ulong Number = number;
        public readonly PooledBlock Memory = memory;

        // One bit a block: to be written; being written; contents valid here.
        public ushort Dirty;
        public ushort Writing;
        public ushort Held;
        public bool IsWriting;

        public ulong First => Number * ChunkBlocks;

        public Span<byte> Block(ulong blkno) => Memory.GetSpan().Slice(
            IndexOf(blkno) * FormatConstants.SmallBlockBytes, FormatConstants.SmallBlockBytes);
    }
}

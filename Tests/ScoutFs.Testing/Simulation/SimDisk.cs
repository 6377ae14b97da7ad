using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Simulation;

/// <summary>How fast a simulated disk is.</summary>
/// <param name="MinTicks">Least time of an operation, unit 100 ns.</param>
/// <param name="MaxTicks">Usual longest time; each operation draws its own, so that they overtake each other.</param>
/// <param name="SlowPerMille">Share of operations that take a hundred times as long, in thousandths.</param>
public readonly record struct SimLatency(long MinTicks, long MaxTicks, int SlowPerMille)
{
    /// <summary>A disk of 50 to 250 µs, which now and then takes up to 25 ms.</summary>
    public static SimLatency Usual => new(500, 2500, 10);

    /// <summary>A disk of 5 to 200 ms, which now and then takes 20 s.</summary>
    public static SimLatency Slow => new(50_000, 2_000_000, 5);
}

/// <summary>A disk in memory that loses, tears, delays and refuses as real disks do, as a seed decides.</summary>
/// <remarks>
/// <para>Fault model, which is a contract in both directions: what is not listed does not happen.</para>
/// <para>1. Writes are volatile when they complete. A flush makes durable every write that had completed when the flush
/// was called, once the flush completes. Reads see completed writes, durable or not.</para>
/// <para>2. When the power goes, each write that is not durable, completed or not, is kept, lost or torn, independently
/// of all others; of overlapping ones, either may come out on top. Durable bytes survive. A torn write leaves any
/// subset of its pieces of <see cref="AtomicBytes"/>, often just its front. <see cref="WholePage"/> is written whole or
/// not at all even so: the format has one super block of 4096 bytes and no second copy of it.</para>
/// <para>3. After the power went, operations never complete: the program that waits for them is gone, too. Views
/// opened before stay dead; views opened after <see cref="SimFaults.Restore"/> find what survived.</para>
/// <para>4. An operation that fails (<see cref="FsError.Io"/>) may have written all, nothing or pieces; what it has
/// written is volatile. A failed flush makes nothing durable, the next that succeeds makes up for it. Failed reads
/// leave anything in the buffer.</para>
/// <para>5. A fenced view completes everything with an error; a view whose node died completes nothing. Its writes
/// under way have reached the disk, or never will: nothing of it changes the disk after the call.</para>
/// <para>6. With a latency, operations complete in any order; a write takes effect when it completes, a read sees the
/// disk of when it completes. Without, they complete at once.</para>
/// <para>7. Never: silent corruption, misdirected writes, writes lost though a flush succeeded after them.</para>
/// <para>Any number of nodes may open views of one disk. Contents are shared between forks, so that a fork costs next
/// to nothing and a disk costs only what was written. One thread at a time, all views and forks together.</para>
/// </remarks>
public sealed class SimDisk
{
    private const int SegmentBytes = 65536;

    private readonly SimScheduler? _scheduler;
    private readonly SimLatency? _latency;
    private readonly Prng _prng;
    private readonly List<SimWrite> _pending = [];
    private SparsePages _durable;
    private SparsePages _current;
    private long _completions;

    /// <summary>Creates a disk of zeros.</summary>
    /// <param name="name">Name for messages and traces.</param>
    /// <param name="sizeBytes">A multiple of 4096.</param>
    /// <param name="faults">Power supply, shared with other disks; null: one of its own.</param>
    /// <param name="scheduler">World that the disk is in; null: operations complete at once.</param>
    /// <param name="latency">Speed, where there is a scheduler; null: operations complete at once.</param>
    /// <param name="seed">Decides latencies.</param>
    public SimDisk(
        string name,
        long sizeBytes,
        SimFaults? faults = null,
        SimScheduler? scheduler = null,
        SimLatency? latency = null,
        ulong seed = 1)
        : this(name, sizeBytes, faults, scheduler, latency, seed, new SparsePages(sizeBytes / SimPage.SizeBytes))
    {
    }

    private SimDisk(
        string name,
        long sizeBytes,
        SimFaults? faults,
        SimScheduler? scheduler,
        SimLatency? latency,
        ulong seed,
        SparsePages contents)
    {
        Invariant.Require(sizeBytes >= 0 && sizeBytes % SimPage.SizeBytes == 0);
        Invariant.Require(latency is null || scheduler is not null);
        Name = name;
        SizeBytes = sizeBytes;
        Faults = faults ?? new SimFaults(seed);
        _scheduler = scheduler;
        _latency = latency;
        _prng = new Prng(seed).Fork(name);
        _durable = contents;
        _current = contents.Fork();
        Faults.Attach(this);
    }

    /// <summary>Name for messages and traces.</summary>
    public string Name { get; }

    /// <summary>Size in bytes.</summary>
    public long SizeBytes { get; }

    /// <summary>Power supply.</summary>
    public SimFaults Faults { get; }

    /// <summary>Pieces that are written whole or not at all: 512 or 4096 bytes.</summary>
    public int AtomicBytes { get; set; } = SimPage.SizeBytes;

    /// <summary>Number of a page that is never torn; null: none.</summary>
    public long? WholePage { get; set; }

    /// <summary>Writes and flushes give <see cref="FsError.ReadOnly"/>.</summary>
    public bool IsReadOnly { get; set; }

    /// <summary>Writes that are not durable yet, completed or not.</summary>
    public int CountVolatile => _pending.Count;

    /// <summary>Changes whenever the power goes: views of an older epoch are dead.</summary>
    internal int Epoch { get; private set; }

    /// <summary>Opens the disk for one node.</summary>
    /// <param name="node">Name of the node, for messages and traces.</param>
    public SimDiskView Open(string node)
    {
        Invariant.Require(Faults.IsPowerOn);
        return new SimDiskView(this, node);
    }

    /// <summary>Copies the disk as it is, everything durable.</summary>
    /// <param name="faults">Power supply of the copy.</param>
    /// <param name="scheduler">World of the copy.</param>
    /// <param name="latency">Speed of the copy; null: operations complete at once.</param>
    /// <param name="seed">Decides latencies of the copy.</param>
    public SimDisk Fork(
        SimFaults? faults = null, SimScheduler? scheduler = null, SimLatency? latency = null, ulong seed = 1) =>
        new(Name, SizeBytes, faults, scheduler, latency, seed, _current.Fork())
        {
            AtomicBytes = AtomicBytes,
            WholePage = WholePage,
        };

    /// <summary>Copies the disk as a power cut would leave it now; the disk itself goes on.</summary>
    /// <param name="prng">Decides what is kept, lost and torn.</param>
    /// <param name="faults">Power supply of the copy.</param>
    /// <param name="scheduler">World of the copy, which completes operations at once.</param>
    public SimDisk ForkAfterCut(Prng prng, SimFaults? faults = null, SimScheduler? scheduler = null)
    {
        var contents = _durable.Fork();
        Survive(contents, prng);
        return new SimDisk(Name, SizeBytes, faults, scheduler, null, 1, contents)
        {
            AtomicBytes = AtomicBytes,
            WholePage = WholePage,
        };
    }

    internal void OnPowerLost(Prng prng)
    {
        Epoch++;
        Survive(_durable, prng);
        _pending.Clear();
        _current = _durable.Fork();
        _scheduler?.Trace(Name + " loses power", Epoch);
    }

    /// <summary>A view was fenced or its node died: its writes under way end one way or the other.</summary>
    internal void OnViewLost(SimDiskView view)
    {
        for (int i = _pending.Count - 1; i >= 0; i--)
        {
            var write = _pending[i];
            if (write.View != view || write.IsComplete)
                continue;
            if (_prng.NextInt32(2) == 0)
                _pending.RemoveAt(i);
            else
                Complete(write);
        }
    }

    internal ValueTask<FsError> ReadAsync(SimDiskView view, long offsetBytes, IReadOnlyList<Memory<byte>> buffers)
    {
        bool fails = Faults.Begin(SimIoKinds.Read);
        _scheduler?.Trace(Name + " read", offsetBytes);
        if (_latency is null)
            return new(Transfer(offsetBytes, buffers, fails));
        return new(LaterAsync(view, () => Transfer(offsetBytes, buffers, fails)));
    }

    internal ValueTask<FsError> WriteAsync(
        SimDiskView view, long offsetBytes, IReadOnlyList<ReadOnlyMemory<byte>> buffers)
    {
        bool fails = Faults.Begin(SimIoKinds.Write);
        var write = new SimWrite(view, offsetBytes / SimPage.SizeBytes, Copy(buffers));
        if (!fails)
            _pending.Add(write);
        _scheduler?.Trace(Name + " write", offsetBytes);
        Faults.OnStarted(SimIoKinds.Write);
        if (view.IsDead)
            return SimDiskView.NeverAsync();
        if (_latency is null)
            return new(EndWrite(write, fails));
        return new(LaterAsync(view, () => EndWrite(write, fails)));
    }

    internal ValueTask<FsError> FlushAsync(SimDiskView view)
    {
        bool fails = Faults.Begin(SimIoKinds.Flush);
        long upTo = _completions;
        _scheduler?.Trace(Name + " flush", upTo);
        Faults.OnStarted(SimIoKinds.Flush);
        if (view.IsDead)
            return SimDiskView.NeverAsync();
        if (_latency is null)
            return new(EndFlush(upTo, fails));
        return new(LaterAsync(view, () => EndFlush(upTo, fails)));
    }

    internal bool TryFindAllocated(long fromBytes, out long startBytes, out long endBytes)
    {
        startBytes = endBytes = SizeBytes;
        if (!_current.TryFindNext(fromBytes / SimPage.SizeBytes, out long page))
            return false;
        startBytes = page * SimPage.SizeBytes;
        while (_current.TryGet(page, out _))
            page++;
        endBytes = page * SimPage.SizeBytes;
        return true;
    }

    private static List<byte[]> Copy(IReadOnlyList<ReadOnlyMemory<byte>> buffers)
    {
        var segments = new List<byte[]>(buffers.Count);
        for (int i = 0; i < buffers.Count; i++)
        {
            // In segments, so that one page that is left does not keep a long write in memory.
            for (int at = 0; at < buffers[i].Length; at += SegmentBytes)
                segments.Add(buffers[i].Slice(at, Math.Min(SegmentBytes, buffers[i].Length - at)).ToArray());
        }

        return segments;
    }

    private FsError Transfer(long offsetBytes, IReadOnlyList<Memory<byte>> buffers, bool fails)
    {
        long page = offsetBytes / SimPage.SizeBytes;
        for (int i = 0; i < buffers.Count; i++)
        {
            for (var rest = buffers[i].Span; rest.Length > 0; rest = rest[SimPage.SizeBytes..])
            {
                if (fails)
                    rest[..SimPage.SizeBytes].Fill(0xa5);
                else if (_current.TryGet(page, out var stored))
                    stored.Span.CopyTo(rest);
                else
                    rest[..SimPage.SizeBytes].Clear();
                page++;
            }
        }

        return fails ? FsError.Io : FsError.None;
    }

    private FsError EndWrite(SimWrite write, bool fails)
    {
        if (!fails)
        {
            Complete(write);
            return FsError.None;
        }

        // Whatever got through is volatile like any other write.
        foreach (var piece in write.Torn(_prng, AtomicBytes, WholePage, _current))
        {
            _pending.Add(piece);
            Complete(piece);
        }

        return FsError.Io;
    }

    private FsError EndFlush(long upTo, bool fails)
    {
        if (fails)
            return FsError.Io;
        _pending.Sort(SimWrite.ByCompletion);
        int count = 0;
        while (count < _pending.Count && _pending[count].IsComplete && _pending[count].Completion <= upTo)
            _pending[count++].Apply(_durable);
        _pending.RemoveRange(0, count);
        return FsError.None;
    }

    private void Complete(SimWrite write)
    {
        write.Completion = ++_completions;
        write.Apply(_current);
    }

    private void Survive(SparsePages contents, Prng prng)
    {
        var order = _pending.ToArray();
        for (int i = order.Length - 1; i > 0; i--)
        {
            int other = prng.NextInt32(i + 1);
            (order[i], order[other]) = (order[other], order[i]);
        }

        // Each cut has its own mood: all or nothing of the cache was written, or some share of it.
        int keptOf16 = prng.NextInt32(6) switch { 0 => 0, 1 => 16, _ => 1 + prng.NextInt32(15) };
        int tornOf16 = prng.NextInt32(2) == 0 ? 0 : 1 + prng.NextInt32(15);
        foreach (var write in order)
        {
            if (prng.NextInt32(16) >= keptOf16)
                continue;
            if (prng.NextInt32(16) >= tornOf16)
            {
                write.Apply(contents);
                continue;
            }

            foreach (var piece in write.Torn(prng, AtomicBytes, WholePage, contents))
                piece.Apply(contents);
        }
    }

    private Task<FsError> LaterAsync(SimDiskView view, Func<FsError> end)
    {
        var latency = _latency!.Value;
        long ticks = latency.MinTicks + (long)_prng.NextUInt64((ulong)(latency.MaxTicks - latency.MinTicks + 1));
        if (_prng.NextInt32(1000) < latency.SlowPerMille)
            ticks *= 100;
        var done = new TaskCompletionSource<FsError>(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = _scheduler!.Schedule(Math.Max(ticks, 1), () =>
        {
            if (view.IsDead)
                return;
            _ = done.TrySetResult(view.Error != FsError.None ? view.Error : end());
        });
        return done.Task;
    }
}

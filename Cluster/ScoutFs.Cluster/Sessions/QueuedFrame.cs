using System;
using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Sessions;

/// <summary>A frame that one end of a session keeps until the other end has answered or acknowledged it.</summary>
internal sealed class QueuedFrame(byte[] bytes)
{
    /// <summary>Header and payload, with room behind them.</summary>
    public byte[] Bytes { get; } = bytes;

    /// <summary>Header and payload in bytes.</summary>
    public int LengthBytes { get; set; }

    /// <summary>Owner's object that belongs to a request, or null.</summary>
    public object? State { get; set; }

    /// <summary>Neighbours in the queue, in order of seq.</summary>
    public QueuedFrame? Previous { get; set; }

    /// <summary>Neighbours in the queue, in order of seq.</summary>
    public QueuedFrame? Next { get; set; }

    /// <summary>The header.</summary>
    public ref FrameHeader Header => ref Disk.Ref<FrameHeader>(Bytes.AsSpan());
}

/// <summary>Frames in order of seq, of which those from <see cref="Unsent"/> on have yet to be sent.</summary>
internal sealed class FrameQueue
{
    private QueuedFrame? _last;

    /// <summary>Oldest frame.</summary>
    public QueuedFrame? First { get; private set; }

    /// <summary>Oldest frame that the present connection has not carried.</summary>
    public QueuedFrame? Unsent { get; private set; }

    /// <summary>Frames in the queue.</summary>
    public int Count { get; private set; }

    /// <summary>Puts the newest frame at the end.</summary>
    public void Append(QueuedFrame frame)
    {
        frame.Previous = _last;
        frame.Next = null;
        if (_last is null)
            First = frame;
        else
            _last.Next = frame;
        _last = frame;
        Unsent ??= frame;
        Count++;
    }

    /// <summary>Takes a frame out.</summary>
    public void Remove(QueuedFrame frame)
    {
        if (Unsent == frame)
            Unsent = frame.Next;
        if (frame.Previous is null)
            First = frame.Next;
        else
            frame.Previous.Next = frame.Next;
        if (frame.Next is null)
            _last = frame.Previous;
        else
            frame.Next.Previous = frame.Previous;
        frame.Previous = frame.Next = null;
        Count--;
    }

    /// <summary>Marks the oldest unsent frame as sent.</summary>
    public QueuedFrame? TakeUnsent()
    {
        var frame = Unsent;
        Unsent = frame?.Next;
        return frame;
    }

    /// <summary>Everything is to be sent again, over a new connection.</summary>
    public void Rewind() => Unsent = First;
}

/// <summary>Frames for reuse, of two sizes; those of a session, not shared.</summary>
/// <remarks>Frames come back with their old bytes; whoever takes one writes header and payload anew.</remarks>
internal sealed class FramePool
{
    // Lock messages (80 bytes) and most others fit; the rest is rare.
    private const int SmallBytes = 128;
    private const int LargeBytes = ReliableSession.MaxFrameBytes;

    // More are left to the collector, so that one burst does not hold memory for ever.
    private const int MaxKept = 256;

    private readonly Stack<QueuedFrame> _small = new();
    private readonly Stack<QueuedFrame> _large = new();

    /// <summary>Takes a frame with room for a length.</summary>
    public QueuedFrame Take(int lengthBytes)
    {
        bool isSmall = lengthBytes <= SmallBytes;
        if (!(isSmall ? _small : _large).TryPop(out var frame))
            frame = new QueuedFrame(new byte[isSmall ? SmallBytes : LargeBytes]);
        frame.LengthBytes = lengthBytes;
        return frame;
    }

    /// <summary>Gives back a frame that is in no queue.</summary>
    public void Return(QueuedFrame frame)
    {
        frame.State = null;
        var kept = frame.Bytes.Length == SmallBytes ? _small : _large;
        if (kept.Count < MaxKept)
            kept.Push(frame);
    }
}

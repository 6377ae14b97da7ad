using System;
using System.Collections.Generic;
using System.Threading;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Mounting;

/// <summary>Inodes that are in use on this mount: open, or known to the host's kernel (engine §6.7).</summary>
/// <remarks>An inode in use is not deleted, here or elsewhere, however many links it has. Takes the gate
/// itself.</remarks>
public sealed class OpenInodes
{
    private readonly Lock _gate;
    private readonly Dictionary<ulong, int> _counts = [];

    /// <summary>Creates the set, empty.</summary>
    public OpenInodes(Lock gate) => _gate = gate;

    /// <summary>Inodes in use.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _counts.Count;
        }
    }

    /// <summary>One more use.</summary>
    public void Open(ulong ino)
    {
        lock (_gate)
            _counts[ino] = _counts.GetValueOrDefault(ino) + 1;
    }

    /// <summary>Ends uses.</summary>
    /// <returns>True when it was the last.</returns>
    public bool Close(ulong ino, int uses = 1)
    {
        lock (_gate)
        {
            bool isOpen = _counts.TryGetValue(ino, out int count);
            Invariant.Require(isOpen && count >= uses);
            if (count > uses)
            {
                _counts[ino] = count - uses;
                return false;
            }

            _ = _counts.Remove(ino);
            return true;
        }
    }

    /// <summary>True while the inode is in use.</summary>
    public bool IsOpen(ulong ino)
    {
        lock (_gate)
            return _counts.ContainsKey(ino);
    }

    /// <summary>Sets the bits of a group's inodes in use.</summary>
    public void Read(ulong group, Span<byte> bits)
    {
        bits.Clear();
        lock (_gate)
        {
            foreach (ulong ino in _counts.Keys)
            {
                if (ino / FormatConstants.LockGroupSize != group)
                    continue;
                int bit = (int)(ino % FormatConstants.LockGroupSize);
                bits[bit / 8] |= (byte)(1 << (bit % 8));
            }
        }
    }
}

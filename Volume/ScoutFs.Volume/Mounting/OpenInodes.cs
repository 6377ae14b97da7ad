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
    private readonly HashSet<ulong> _unlinked = [];

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

    /// <summary>Whether the inode is in use.</summary>
    public bool IsOpen(ulong ino)
    {
        lock (_gate)
            return _counts.ContainsKey(ino);
    }

    /// <summary>Ends uses.</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="uses">How many.</param>
    /// <param name="isUnlinked">After the last: a deletion was put off until now.</param>
    /// <returns>True when it was the last.</returns>
    public bool Close(ulong ino, int uses, out bool isUnlinked)
    {
        isUnlinked = false;
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
            isUnlinked = _unlinked.Remove(ino);
            return true;
        }
    }

    /// <summary>Puts a deletion off until the last use of the inode ends.</summary>
    /// <returns>False when nobody uses it: it may be deleted now.</returns>
    public bool PutOff(ulong ino)
    {
        lock (_gate)
        {
            bool isOpen = _counts.ContainsKey(ino);
            if (isOpen)
                _ = _unlinked.Add(ino);
            return isOpen;
        }
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

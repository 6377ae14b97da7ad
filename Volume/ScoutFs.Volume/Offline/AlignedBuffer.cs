using System;
using System.Runtime.InteropServices;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Makes buffers that devices can read file contents into, larger than a block of a pool.</summary>
public static class AlignedBuffer
{
    /// <summary>A buffer at an address that is a multiple of 4096, which the garbage collector does not move.</summary>
    /// <param name="lengthBytes">A multiple of 4096. Contents are zero.</param>
    public static Memory<byte> Create(int lengthBytes)
    {
        const int Alignment = FormatConstants.SmallBlockBytes;
        Invariant.Require(lengthBytes > 0 && lengthBytes % Alignment == 0);
        byte[] array = GC.AllocateArray<byte>(lengthBytes + Alignment, pinned: true);
        long address = Marshal.UnsafeAddrOfPinnedArrayElement(array, 0);
        int skip = (int)((Alignment - (address % Alignment)) % Alignment);
        return array.AsMemory(skip, lengthBytes);
    }
}

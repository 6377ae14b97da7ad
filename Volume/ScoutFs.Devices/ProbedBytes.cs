using System;
using System.Buffers.Binary;

namespace ScoutFs.Devices;

/// <summary>Beginning and end of a device in memory, addressed as on the device. Elsewhere there is nothing.</summary>
/// <param name="sizeBytes">Size of the device.</param>
/// <param name="head">Its first bytes.</param>
/// <param name="tail">Its last bytes; may overlap the first.</param>
internal sealed class ProbedBytes(long sizeBytes, byte[] head, byte[] tail)
{
    /// <summary>Size of the device.</summary>
    public long SizeBytes => sizeBytes;

    /// <summary>A range of bytes, or an empty span when it was not read as a whole.</summary>
    public ReadOnlySpan<byte> At(long offsetBytes, int lengthBytes)
    {
        long tailBytes = sizeBytes - tail.Length;
        if (offsetBytes >= 0 && offsetBytes <= head.Length - lengthBytes)
            return head.AsSpan((int)offsetBytes, lengthBytes);
        if (offsetBytes >= tailBytes && offsetBytes <= sizeBytes - lengthBytes)
            return tail.AsSpan((int)(offsetBytes - tailBytes), lengthBytes);
        return default;
    }

    /// <summary>True when the bytes are there and equal.</summary>
    public bool Has(long offsetBytes, ReadOnlySpan<byte> expected) =>
        At(offsetBytes, expected.Length).SequenceEqual(expected);

    /// <summary>One byte, 0 where nothing was read.</summary>
    public byte Byte(long offsetBytes) => At(offsetBytes, 1) is [var value] ? value : (byte)0;

    /// <summary>16 bits little-endian, 0 where nothing was read.</summary>
    public ushort Little16(long offsetBytes) =>
        At(offsetBytes, 2) is { IsEmpty: false } bytes ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : (ushort)0;

    /// <summary>32 bits little-endian, 0 where nothing was read.</summary>
    public uint Little32(long offsetBytes) =>
        At(offsetBytes, 4) is { IsEmpty: false } bytes ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;

    /// <summary>32 bits big-endian, 0 where nothing was read.</summary>
    public uint Big32(long offsetBytes) =>
        At(offsetBytes, 4) is { IsEmpty: false } bytes ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : 0;

    /// <summary>64 bits little-endian, 0 where nothing was read.</summary>
    public ulong Little64(long offsetBytes) =>
        At(offsetBytes, 8) is { IsEmpty: false } bytes ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : 0;
}

using System;
using System.Buffers.Binary;
using System.Numerics;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Srch;

/// <summary>The encoding of srch entries relative to their predecessor in a block (format §12.1).</summary>
/// <remarks>Pure, any thread, no allocation.</remarks>
public static class SrchEntryCodec
{
    /// <summary>Most bytes an entry can take.</summary>
    public const int MaxBytes = 26;

    /// <summary>Decodes one entry.</summary>
    /// <param name="encoded">Starts at the entry; longer than the entry.</param>
    /// <param name="previous">The entry before, all zero for the first of a block.</param>
    /// <param name="entry">The entry.</param>
    /// <returns>Bytes it takes, or 0 when <paramref name="encoded"/> ends inside it.</returns>
    public static int Decode(ReadOnlySpan<byte> encoded, in SrchEntry previous, out SrchEntry entry)
    {
        entry = default;
        if (encoded.Length < 2)
            return 0;
        int lengths = BinaryPrimitives.ReadUInt16LittleEndian(encoded);
        int at = 2;
        if (!TryField(encoded, lengths & 15, ref at, previous.Hash, out ulong hash)
            || !TryField(encoded, (lengths >> 4) & 15, ref at, previous.Ino, out ulong ino)
            || !TryField(encoded, (lengths >> 8) & 15, ref at, previous.Id, out ulong id))
        {
            return 0;
        }

        entry = new SrchEntry(hash, ino, id);
        return at;
    }

    /// <summary>Encodes one entry in as few bytes as possible.</summary>
    /// <param name="into">At least <see cref="MaxBytes"/> long.</param>
    /// <param name="previous">The entry before, all zero for the first of a block.</param>
    /// <param name="entry">The entry.</param>
    /// <returns>Bytes it takes, 2..26.</returns>
    public static int Encode(Span<byte> into, in SrchEntry previous, in SrchEntry entry)
    {
        int at = 2;
        int lengths = PutField(into, ref at, previous.Hash, entry.Hash)
            | (PutField(into, ref at, previous.Ino, entry.Ino) << 4)
            | (PutField(into, ref at, previous.Id, entry.Id) << 8);
        BinaryPrimitives.WriteUInt16LittleEndian(into, (ushort)lengths);
        return at;
    }

    private static bool TryField(
        ReadOnlySpan<byte> encoded, int nibble, ref int at, ulong previous, out ulong value)
    {
        int length = Math.Min(8, nibble);
        value = 0;
        if (at + length > encoded.Length)
            return false;
        ulong zigzag = 0;
        for (int i = length - 1; i >= 0; i--)
            zigzag = (zigzag << 8) | encoded[at + i];
        at += length;
        value = previous + ((zigzag >> 1) ^ (0 - (zigzag & 1)));
        return true;
    }

    private static int PutField(Span<byte> into, ref int at, ulong previous, ulong value)
    {
        ulong difference = value - previous;
        ulong zigzag = (difference << 1) ^ (ulong)((long)difference >> 63);
        int length = (64 - BitOperations.LeadingZeroCount(zigzag) + 7) / 8;
        for (int i = 0; i < length; i++)
            into[at++] = (byte)(zigzag >> (8 * i));
        return length;
    }
}

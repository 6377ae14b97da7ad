using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing;

/// <summary>Writes and reads leaves of srch files (format §12.1), in the plainest way.</summary>
public static class SampleVolumeSrch
{
    /// <summary>Where the encoded entries start in a leaf.</summary>
    public const int EntriesOffset = 112;

    /// <summary>Fills everything of a leaf but its block header.</summary>
    public static void FillLeaf(Span<byte> block, IReadOnlyList<SrchEntry> entries)
    {
        block[32..].Clear();
        ref var leaf = ref Disk.Ref<SrchLeafHeader>(block);
        int used = 0;
        var previous = default(SrchEntry);
        for (int i = 0; i < entries.Count; i++)
        {
            var entry = entries[i];
            used += Encode(entry, previous, block[(EntriesOffset + used)..]);
            if (i == 0 || SrchEntry.Compare(entry, leaf.First) < 0)
                leaf.First = entry;
            if (i == 0 || SrchEntry.Compare(entry, leaf.Last) > 0)
                leaf.Last = entry;
            previous = entry;
        }

        leaf.Tail = previous;
        leaf.EntryNr = (uint)entries.Count;
        leaf.EntryBytes = (uint)used;
    }

    /// <summary>Reads the entries of a good leaf.</summary>
    public static List<SrchEntry> ReadLeaf(ReadOnlySpan<byte> block)
    {
        ref readonly var leaf = ref Disk.Ref<SrchLeafHeader>(block);
        var entries = new List<SrchEntry>();
        var previous = default(SrchEntry);
        int offset = EntriesOffset;
        for (uint i = 0; i < leaf.EntryNr; i++)
        {
            previous = Decode(block, ref offset, previous);
            entries.Add(previous);
        }

        return entries;
    }

    /// <summary>Encodes one entry minimally.</summary>
    /// <returns>Bytes written, 2..26.</returns>
    public static int Encode(in SrchEntry entry, in SrchEntry previous, Span<byte> into)
    {
        int used = 2;
        int hash = EncodeField(entry.Hash.Value - previous.Hash.Value, into, ref used);
        int ino = EncodeField(entry.Ino.Value - previous.Ino.Value, into, ref used);
        int id = EncodeField(entry.Id.Value - previous.Id.Value, into, ref used);
        BinaryPrimitives.WriteUInt16LittleEndian(into, (ushort)(hash | (ino << 4) | (id << 8)));
        return used;
    }

    private static int EncodeField(ulong difference, Span<byte> into, ref int used)
    {
        ulong zigzag = (difference << 1) ^ (ulong)((long)difference >> 63);
        int count = 0;
        for (; zigzag != 0; zigzag >>= 8, count++)
            into[used++] = (byte)zigzag;
        return count;
    }

    private static SrchEntry Decode(ReadOnlySpan<byte> block, ref int offset, in SrchEntry previous)
    {
        int lengths = BinaryPrimitives.ReadUInt16LittleEndian(block[offset..]);
        offset += 2;
        ulong hash = previous.Hash + DecodeField(block, lengths & 15, ref offset);
        ulong ino = previous.Ino + DecodeField(block, (lengths >> 4) & 15, ref offset);
        ulong id = previous.Id + DecodeField(block, (lengths >> 8) & 15, ref offset);
        return new SrchEntry(hash, ino, id);
    }

    private static ulong DecodeField(ReadOnlySpan<byte> block, int count, ref int offset)
    {
        ulong zigzag = 0;
        for (int i = 0; i < Math.Min(8, count); i++)
            zigzag |= (ulong)block[offset++] << (8 * i);
        return (zigzag >> 1) ^ (0 - (zigzag & 1));
    }
}

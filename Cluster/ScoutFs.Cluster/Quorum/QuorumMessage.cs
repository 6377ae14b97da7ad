using System;
using System.Buffers.Binary;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Quorum;

/// <summary>Kinds of quorum messages; on the wire, never renumber (cluster §2.3).</summary>
public enum QuorumMessageKind : byte
{
    /// <summary>A candidate asks for a vote.</summary>
    RequestVote = 0,

    /// <summary>The vote.</summary>
    Vote = 1,

    /// <summary>A leader lives.</summary>
    Heartbeat = 2,

    /// <summary>A leader has stopped.</summary>
    Resignation = 3,
}

/// <summary>A message between quorum members (cluster §2.3).</summary>
/// <param name="Kind">What it says.</param>
/// <param name="From">Sender's slot, 0..14.</param>
/// <param name="Term">Sender's term.</param>
public readonly record struct QuorumMessage(QuorumMessageKind Kind, int From, ulong Term)
{
    /// <summary>Size on the wire in bytes.</summary>
    public const int WireBytes = 32;

    private const int TermAt = 16;
    private const int KindAt = 24;
    private const int FromAt = 25;
    private const int CrcAt = 28;

    /// <summary>Writes the 32 bytes of a datagram.</summary>
    public void Write(Span<byte> into, ulong fsid)
    {
        into = into[..WireBytes];
        into.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(into, fsid);
        BinaryPrimitives.WriteUInt64LittleEndian(into[TermAt..], Term);
        into[KindAt] = (byte)Kind;
        into[FromAt] = (byte)From;
        BinaryPrimitives.WriteUInt32LittleEndian(into[CrcAt..], Crc32C.Compute(into[..CrcAt]));
    }

    /// <summary>Reads a datagram.</summary>
    /// <param name="bytes">What arrived.</param>
    /// <param name="fsid">Volume.</param>
    /// <param name="slots">Bit n: slot n is configured.</param>
    /// <param name="message">The message.</param>
    /// <returns>False: it is damaged, for another volume or from nobody; to be counted and ignored.</returns>
    public static bool TryRead(ReadOnlySpan<byte> bytes, ulong fsid, ushort slots, out QuorumMessage message)
    {
        message = default;
        if (bytes.Length != WireBytes)
            return false;
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[CrcAt..]) != Crc32C.Compute(bytes[..CrcAt]))
            return false;
        if (BinaryPrimitives.ReadUInt64LittleEndian(bytes) != fsid)
            return false;
        if (bytes[KindAt] > (byte)QuorumMessageKind.Resignation || bytes[FromAt] >= 15)
            return false;
        if ((slots & (1 << bytes[FromAt])) == 0)
            return false;
        message = new QuorumMessage(
            (QuorumMessageKind)bytes[KindAt], bytes[FromAt], BinaryPrimitives.ReadUInt64LittleEndian(bytes[TermAt..]));
        return true;
    }
}

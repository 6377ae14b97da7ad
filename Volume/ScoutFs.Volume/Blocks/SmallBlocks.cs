using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Blocks;

/// <summary>Reads, checks and writes super and quorum blocks: 4 KiB, fixed places, not cached (engine §1.2).</summary>
public static class SmallBlocks
{
    /// <summary>Reads one small block as it is.</summary>
    /// <param name="device">Either device.</param>
    /// <param name="blkno">Unit 4 KiB.</param>
    /// <param name="block">Receives 4096 bytes; from a <see cref="BlockPool"/> or otherwise aligned.</param>
    /// <param name="cancellationToken">Honoured before the transfer.</param>
    public static ValueTask<FsError> ReadAsync(
        IBlockDevice device, ulong blkno, Memory<byte> block, CancellationToken cancellationToken) =>
        device.ReadAsync(
            (long)blkno * FormatConstants.SmallBlockBytes,
            block[..FormatConstants.SmallBlockBytes],
            cancellationToken);

    /// <summary>Stamps the checksum and writes one small block; the caller flushes.</summary>
    public static ValueTask<FsError> WriteAsync(
        IBlockDevice device, ulong blkno, Memory<byte> block, CancellationToken cancellationToken)
    {
        var small = block[..FormatConstants.SmallBlockBytes];
        Disk.Ref<BlockHeader>(small.Span).Crc = Crc32C.Compute(small.Span[4..]);
        return device.WriteAsync((long)blkno * FormatConstants.SmallBlockBytes, small, cancellationToken);
    }

    /// <summary>Checks magic, checksum and location, and the fsid unless it is 0.</summary>
    public static Corruption Verify(ReadOnlySpan<byte> block, BlockMagic magic, ulong blkno, ulong fsid)
    {
        ref readonly var header = ref Disk.Ref<BlockHeader>(block);
        if (header.Magic != (uint)magic)
            return new Corruption(CorruptionSite.SmallBlockMagic, blkno, (uint)magic, header.Magic);
        uint crc = Crc32C.Compute(block[4..FormatConstants.SmallBlockBytes]);
        if (header.Crc != crc)
            return new Corruption(CorruptionSite.SmallBlockCrc, blkno, crc, header.Crc);
        if (header.Blkno != blkno)
            return new Corruption(CorruptionSite.SmallBlockBlkno, blkno, blkno, header.Blkno);
        return fsid != 0 && header.Fsid != fsid
            ? new Corruption(CorruptionSite.SmallBlockFsid, blkno, fsid, header.Fsid)
            : default;
    }
}

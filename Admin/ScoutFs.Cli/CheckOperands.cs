using System;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cli;

/// <summary>Tells a check of the wrong devices from a check of a damaged volume.</summary>
/// <remarks>
/// Only intact super blocks are believed: of anything else the check itself says what is wrong with it.
/// </remarks>
internal static class CheckOperands
{
    /// <summary>Refuses two devices that are good but are not the metadata and data device of one volume.</summary>
    /// <exception cref="VolumeException">What was mistaken, in place of findings that it would lead to.</exception>
    public static async Task RequirePairAsync(
        IBlockDevice meta, IBlockDevice data, CancellationToken cancellationToken)
    {
        var first = await TryReadAsync(meta, cancellationToken);
        var second = await TryReadAsync(data, cancellationToken);
        if (first is not { } metaSuper || second is not { } dataSuper)
            return;
        if (Disk.Bytes(in metaSuper).SequenceEqual(Disk.Bytes(in dataSuper)))
        {
            string role = IsMeta(metaSuper) ? "metadata" : "data";
            throw new VolumeException(
                FsError.Invalid,
                $"Both arguments are the same device: {meta.Name} and {data.Name} hold the {role} device of volume "
                + $"{OfflineVolume.FormatUuid(metaSuper)}. Name the metadata device first, then the data device.");
        }

        if (!IsMeta(metaSuper) && IsMeta(dataSuper))
        {
            throw new VolumeException(
                FsError.Invalid,
                $"The metadata and data devices are swapped: {data.Name} is the metadata device, {meta.Name} the data "
                + "device. Name the metadata device first.");
        }

        bool isOneVolume = metaSuper.Header.Fsid == dataSuper.Header.Fsid
            || Disk.Bytes(in metaSuper.Uuid).SequenceEqual(Disk.Bytes(in dataSuper.Uuid));
        if (!isOneVolume)
        {
            throw new VolumeException(
                FsError.Invalid,
                $"The devices belong to different volumes: {meta.Name} to {OfflineVolume.FormatUuid(metaSuper)}, "
                + $"{data.Name} to {OfflineVolume.FormatUuid(dataSuper)}. Name the two devices of one volume.");
        }
    }

    private static bool IsMeta(in SuperBlock super) => (super.Flags & SuperBlock.FlagMeta) != 0;

    private static async Task<SuperBlock?> TryReadAsync(IBlockDevice device, CancellationToken cancellationToken)
    {
        if (device.SizeBytes < (long)(FormatConstants.SuperBlkno + 1) * FormatConstants.SmallBlockBytes)
            return null;
        var block = AlignedBuffer.Create(FormatConstants.SmallBlockBytes);
        var error = await SmallBlocks.ReadAsync(device, FormatConstants.SuperBlkno, block, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        if (error != FsError.None)
            return null;
        var fault = SmallBlocks.Verify(block.Span, BlockMagic.Super, FormatConstants.SuperBlkno, 0);
        return fault.IsFound ? null : Disk.Ref<SuperBlock>(block.Span);
    }
}

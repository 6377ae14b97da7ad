using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Why something cannot be done with a volume.</summary>
/// <param name="Error">The code.</param>
/// <param name="Sentence">For the user.</param>
public readonly record struct VolumeProblem(FsError Error, string Sentence);

/// <summary>Changes of a volume that touch nothing but super blocks (format §5, §15, §16).</summary>
/// <remarks>
/// <para>All of them refuse a volume that is in use or needs recovery: a mounted server would overwrite the metadata
/// device's super block with its own idea of it.</para>
/// <para>A super block is rewritten as a whole 4096 byte block, which is the unit that devices write atomically: a
/// crash leaves the old or the new one. Bytes without a meaning here (tails of quorum slots, the rest of the block) are
/// kept; the header's seq becomes 1, as offline tools have it.</para>
/// </remarks>
public static class VolumeEdits
{
    private const ulong OfflineSeq = 1;

    /// <summary>Replaces the quorum slots; the configuration's version grows by one.</summary>
    /// <param name="meta">Metadata device, opened for writing.</param>
    /// <param name="slots">The new slots; a slot that does not change keeps its bytes.</param>
    /// <param name="cancellationToken">Honoured before the write.</param>
    /// <returns>The super block as written.</returns>
    /// <exception cref="VolumeException">The slots are wrong, the volume is in use, or a device failed.</exception>
    public static async ValueTask<SuperBlock> ChangeQuorumConfigAsync(
        IBlockDevice meta, IReadOnlyList<QuorumSlot> slots, CancellationToken cancellationToken)
    {
        if (QuorumSlot.FaultOf(slots) is { } fault)
            throw new VolumeException(FsError.Invalid, fault);
        using var pool = new BlockPool(2);
        var block = pool.TryRent()!;
        var scratch = pool.TryRent()!;
        try
        {
            var super = await OfflineVolume.ReadSuperAsync(meta, isMeta: true, block.Memory, cancellationToken);
            await RequireNotInUseAsync(meta, super, scratch.Memory, cancellationToken);
            super.QuorumConfig = Replace(super.QuorumConfig, slots);
            cancellationToken.ThrowIfCancellationRequested();
            return await RewriteAsync(meta, super, block.Memory);
        }
        finally
        {
            pool.Return(scratch);
            pool.Return(block);
        }
    }

    /// <summary>Raises the format version in both super blocks.</summary>
    /// <param name="meta">Metadata device, opened for writing.</param>
    /// <param name="data">Data device, opened for writing.</param>
    /// <param name="version">The new version.</param>
    /// <param name="cancellationToken">Honoured before the first write.</param>
    /// <returns>The metadata device's super block, and whether anything was written.</returns>
    /// <exception cref="VolumeException">The version is unknown or lower, the volume is in use, …</exception>
    /// <remarks>
    /// The data device is written first. Mounts want equal versions, so a crash in between leaves a volume that nobody
    /// mounts, and therefore one that nobody has used under the new version; running the command again sees the lower
    /// of the two versions, and finishes.
    /// </remarks>
    public static async ValueTask<(SuperBlock Super, bool IsChanged)> ChangeFormatVersionAsync(
        IBlockDevice meta, IBlockDevice data, ulong version, CancellationToken cancellationToken)
    {
        if (version is < FormatConstants.MinFormatVersion or > FormatConstants.MaxFormatVersion)
        {
            throw new VolumeException(
                FsError.Invalid,
                $"Format version {version} is not one of {FormatConstants.MinFormatVersion} to "
                + $"{FormatConstants.MaxFormatVersion}.");
        }

        using var pool = new BlockPool(3);
        var metaBlock = pool.TryRent()!;
        var dataBlock = pool.TryRent()!;
        var scratch = pool.TryRent()!;
        try
        {
            var super = await OfflineVolume.ReadSuperAsync(meta, isMeta: true, metaBlock.Memory, cancellationToken);
            var copy = await OfflineVolume.ReadSuperAsync(data, isMeta: false, dataBlock.Memory, cancellationToken);
            RequireSameVolume(super, copy, meta, data);
            await RequireNotInUseAsync(meta, super, scratch.Memory, cancellationToken);
            ulong newest = Math.Max(super.FormatVersion, copy.FormatVersion);
            if (version < newest)
            {
                throw new VolumeException(
                    FsError.NotPermitted,
                    $"The volume has format version {newest} and cannot go back to {version}: it may hold what the "
                    + "older version does not know.");
            }

            bool isMetaChanged = super.FormatVersion != version;
            bool isDataChanged = copy.FormatVersion != version;
            cancellationToken.ThrowIfCancellationRequested();
            if (isDataChanged)
            {
                copy.FormatVersion = version;
                _ = await RewriteAsync(data, copy, dataBlock.Memory);
            }

            if (isMetaChanged)
            {
                super.FormatVersion = version;
                super = await RewriteAsync(meta, super, metaBlock.Memory);
            }

            return (super, isMetaChanged || isDataChanged);
        }
        finally
        {
            pool.Return(scratch);
            pool.Return(dataBlock);
            pool.Return(metaBlock);
        }
    }

    /// <summary>Finds everything that stands against giving a volume a new, empty data device.</summary>
    /// <param name="meta">Metadata device.</param>
    /// <param name="data">The new data device, or null to look at the volume only.</param>
    /// <param name="cancellationToken">Stops between reads.</param>
    /// <returns>Problems; none: go ahead.</returns>
    /// <exception cref="VolumeException">The volume cannot be read.</exception>
    public static async ValueTask<IReadOnlyList<VolumeProblem>> CheckForEmptyDataDeviceAsync(
        IBlockDevice meta, IBlockDevice? data, CancellationToken cancellationToken)
    {
        using var volume = await OfflineVolume.OpenAsync(
            meta, null, OfflineVolume.DefaultCacheBytes, cancellationToken);
        var super = volume.Super;
        var problems = new List<VolumeProblem>();
        if (volume.IsInUse)
            problems.Add(InUse(meta));

        // Everything that is not in a list of free extents is in use. Totals do: what they sum up is check's business.
        UInt128 free = super.DataAlloc.TotalLen.Value;
        foreach (var log in volume.Roots.Logs)
            free += (UInt128)log.DataAvail.TotalLen.Value + log.DataFreed.TotalLen.Value;
        UInt128 usable = Math.Max(super.TotalDataBlocks.Value, FormatConstants.FirstDataBlkno)
            - FormatConstants.FirstDataBlkno;
        if (free != usable)
        {
            problems.Add(new VolumeProblem(
                FsError.Invalid,
                $"{usable} data blocks of the volume on {meta.Name} can hold data, but only {free} of them are free. "
                + "A new data device would lose the others: delete or release all file contents, and unmount."));
        }

        ulong needed = super.TotalDataBlocks;
        if (data is not null && (ulong)(data.SizeBytes / FormatConstants.SmallBlockBytes) < needed)
        {
            problems.Add(new VolumeProblem(
                FsError.TooSmall,
                $"{data.Name} has {SizeText.OfCount((ulong)data.SizeBytes, 1)}, but the volume needs a data device of "
                + $"{SizeText.OfCount(needed, FormatConstants.SmallBlockBytes)} 4KB blocks."));
        }

        return problems;
    }

    /// <summary>Writes the super block that makes an empty device the data device of a volume (format §4).</summary>
    /// <param name="meta">Metadata device; only read.</param>
    /// <param name="data">The new data device, opened for writing.</param>
    /// <param name="cancellationToken">Honoured before the write.</param>
    /// <returns>The super block as written.</returns>
    /// <exception cref="VolumeException">A check failed, or a device.</exception>
    public static async ValueTask<SuperBlock> PrepareEmptyDataDeviceAsync(
        IBlockDevice meta, IBlockDevice data, CancellationToken cancellationToken)
    {
        foreach (var problem in await CheckForEmptyDataDeviceAsync(meta, data, cancellationToken))
            throw new VolumeException(problem.Error, problem.Sentence);
        using var pool = new BlockPool(1);
        var block = pool.TryRent()!;
        try
        {
            var super = await OfflineVolume.ReadSuperAsync(meta, isMeta: true, block.Memory, cancellationToken);
            var copy = new SuperBlock
            {
                Header = super.Header,
                Id = super.Id,
                FormatVersion = super.FormatVersion,
                Uuid = super.Uuid,
                Seq = super.Seq,
                TotalMetaBlocks = super.TotalMetaBlocks,
                TotalDataBlocks = super.TotalDataBlocks,
            };
            cancellationToken.ThrowIfCancellationRequested();
            block.Memory.Span[..FormatConstants.SmallBlockBytes].Clear();
            return await RewriteAsync(data, copy, block.Memory);
        }
        finally
        {
            pool.Return(block);
        }
    }

    private static QuorumConfig Replace(in QuorumConfig old, IReadOnlyList<QuorumSlot> slots)
    {
        var config = QuorumSlot.ConfigOf(slots, old.Version + 1);
        for (int nr = 0; nr < FormatConstants.QuorumSlots; nr++)
        {
            var before = old.Slots[nr];
            var now = config.Slots[nr];
            if (now.Family == before.Family && now.Port == before.Port && now.Addr == before.Addr)
                config.Slots[nr] = before;
        }

        return config;
    }

    private static void RequireSameVolume(in SuperBlock super, in SuperBlock copy, IBlockDevice meta, IBlockDevice data)
    {
        if (super.Header.Fsid == copy.Header.Fsid
            && Disk.Bytes(in super.Uuid).SequenceEqual(Disk.Bytes(in copy.Uuid)))
        {
            return;
        }

        throw new VolumeException(
            FsError.Invalid,
            $"{meta.Name} and {data.Name} belong to different volumes: uuid {OfflineVolume.FormatUuid(super)} and "
            + $"{OfflineVolume.FormatUuid(copy)}. Give the two devices of one volume.");
    }

    private static async ValueTask RequireNotInUseAsync(
        IBlockDevice meta, SuperBlock super, Memory<byte> scratch, CancellationToken cancellationToken)
    {
        if (!await OfflineVolume.IsInUseAsync(meta, super, scratch, cancellationToken))
            return;
        var problem = InUse(meta);
        throw new VolumeException(problem.Error, problem.Sentence);
    }

    private static VolumeProblem InUse(IBlockDevice meta) => new(
        FsError.VolumeInUse,
        $"The volume on {meta.Name} is mounted, or was not unmounted cleanly and needs recovery. Unmount it "
        + "everywhere; after a crash, mount and unmount it once.");

    // The block holds what was read, so that all bytes outside the structure stay as they are.
    private static async ValueTask<SuperBlock> RewriteAsync(IBlockDevice device, SuperBlock super, Memory<byte> block)
    {
        super.Header.Seq = OfflineSeq;
        Disk.Ref<SuperBlock>(block.Span) = super;
        var error = await SmallBlocks.WriteAsync(device, FormatConstants.SuperBlkno, block, CancellationToken.None);
        if (error == FsError.None)
            error = await device.FlushAsync(CancellationToken.None);
        if (error != FsError.None)
        {
            throw new VolumeException(
                error,
                $"Cannot write the super block of {device.Name}: {FsErrorTable.TextOf(error)}. Run the command again "
                + "when the device works.");
        }

        return Disk.Ref<SuperBlock>(block.Span);
    }
}

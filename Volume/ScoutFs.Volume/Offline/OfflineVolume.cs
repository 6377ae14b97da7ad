using System;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Forest;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>A volume opened for reading, not mounted: both devices, the super block, a cache and the forest.</summary>
/// <remarks>
/// <para>Shows the state of the last commit, which for a volume that crashed is what a mount would show after recovery.
/// A volume that is mounted meanwhile keeps changing: reads that meet a reused block fail with
/// <see cref="FsError.Stale"/>, and <see cref="ReloadAsync"/> fetches the new roots.</para>
/// <para>Devices stay the caller's. One caller at a time.</para>
/// </remarks>
public sealed class OfflineVolume : IDisposable
{
    /// <summary>Default budget of the block cache in bytes.</summary>
    public const long DefaultCacheBytes = 64L << 20;

    private readonly long _cacheBytes;
    private SuperBlock _super;
    private BlockCache? _cache;

    private OfflineVolume(IBlockDevice meta, IBlockDevice? data, long cacheBytes)
    {
        Meta = meta;
        DataDevice = data;
        _cacheBytes = cacheBytes;
    }

    /// <summary>The metadata device.</summary>
    public IBlockDevice Meta { get; }

    /// <summary>The data device, or null when only metadata is looked at.</summary>
    public IBlockDevice? DataDevice { get; }

    /// <summary>The metadata device's super block of the last load.</summary>
    public ref readonly SuperBlock Super => ref _super;

    /// <summary>The forest of the last load.</summary>
    public ForestRoots Roots { get; private set; } = null!;

    /// <summary>Cache of the metadata device.</summary>
    public BlockCache Cache => _cache!;

    /// <summary>The volume is mounted or was not unmounted cleanly (format §5).</summary>
    public bool IsInUse { get; private set; }

    /// <summary>The fsid as tools print it: 16 hexadecimal digits.</summary>
    public string FsidText => _super.Header.Fsid.Value.ToString("x16", CultureInfo.InvariantCulture);

    /// <summary>The uuid as tools print it.</summary>
    public string UuidText => FormatUuid(_super);

    /// <summary>Opens a volume.</summary>
    /// <param name="meta">Metadata device.</param>
    /// <param name="data">Data device, or null to look at metadata only.</param>
    /// <param name="cacheBytes">Budget of the block cache, at least 2 MiB; raised if the forest needs more.</param>
    /// <param name="cancellationToken">Stops between reads.</param>
    /// <exception cref="VolumeException">It is no volume, the devices do not match, or it is damaged.</exception>
    public static async ValueTask<OfflineVolume> OpenAsync(
        IBlockDevice meta, IBlockDevice? data, long cacheBytes, CancellationToken cancellationToken)
    {
        var volume = new OfflineVolume(meta, data, cacheBytes);
        try
        {
            await volume.ReloadAsync(cancellationToken);
            return volume;
        }
        catch
        {
            volume.Dispose();
            throw;
        }
    }

    /// <summary>Reads the super block and the forest again.</summary>
    /// <returns>True when the roots of items changed since the last load (format §3, stale handling).</returns>
    /// <exception cref="VolumeException">As for <see cref="OpenAsync"/>.</exception>
    public async ValueTask<bool> ReloadAsync(CancellationToken cancellationToken)
    {
        using var pool = new BlockPool(1);
        var block = pool.TryRent()!;
        try
        {
            var previous = _super;
            var super = await ReadSupersAsync(Meta, DataDevice, block.Memory, cancellationToken);
            _super = super;
            IsInUse = await IsInUseAsync(Meta, super, block.Memory, cancellationToken);
            await LoadForestAsync(cancellationToken);
            return !previous.FsRoot.Ref.SameAs(super.FsRoot.Ref) || !previous.LogsRoot.Ref.SameAs(super.LogsRoot.Ref)
                || !previous.SrchRoot.Ref.SameAs(super.SrchRoot.Ref);
        }
        finally
        {
            pool.Return(block);
        }
    }

    /// <summary>Reads the super blocks of both devices, and checks that they belong together (engine §11.3).</summary>
    /// <param name="meta">Metadata device.</param>
    /// <param name="data">Data device, or null to look at metadata only.</param>
    /// <param name="buffer">At least 4096 aligned bytes.</param>
    /// <param name="cancellationToken">Honoured before each transfer.</param>
    /// <returns>That of the metadata device.</returns>
    /// <exception cref="VolumeException">It is no volume, or the devices do not match.</exception>
    public static async ValueTask<SuperBlock> ReadSupersAsync(
        IBlockDevice meta, IBlockDevice? data, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var super = await ReadSuperAsync(meta, isMeta: true, buffer, cancellationToken);
        RequireSizes(super, meta, data);
        if (data is not null)
            RequirePair(super, await ReadSuperAsync(data, isMeta: false, buffer, cancellationToken));
        return super;
    }

    /// <summary>Reads and checks one device's super block (format §3, §4, §19).</summary>
    /// <param name="device">The device.</param>
    /// <param name="isMeta">Which of the two it is meant to be.</param>
    /// <param name="buffer">At least 4096 aligned bytes.</param>
    /// <param name="cancellationToken">Honoured before the transfer.</param>
    /// <exception cref="VolumeException">It cannot be read, is no super block, or another device's.</exception>
    public static async ValueTask<SuperBlock> ReadSuperAsync(
        IBlockDevice device, bool isMeta, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        string role = isMeta ? "metadata" : "data";
        if (device.SizeBytes < (long)(FormatConstants.SuperBlkno + 1) * FormatConstants.SmallBlockBytes)
        {
            throw new VolumeException(
                FsError.TooSmall,
                $"The {role} device {device.Name} ({device.SizeBytes} bytes) is too small for a scoutfs super block.");
        }

        var error = await SmallBlocks.ReadAsync(device, FormatConstants.SuperBlkno, buffer, cancellationToken);
        if (error != FsError.None)
        {
            throw new VolumeException(
                error, $"Cannot read the super block of {role} device {device.Name}: {FsErrorTable.TextOf(error)}.");
        }

        var fault = SmallBlocks.Verify(
            buffer.Span[..FormatConstants.SmallBlockBytes], BlockMagic.Super, FormatConstants.SuperBlkno, 0);
        if (fault.Site == CorruptionSite.SmallBlockMagic)
        {
            throw new VolumeException(
                FsError.Corrupt,
                $"{device.Name} holds no scoutfs volume: there is no super block at byte 65536. Check the path.",
                fault);
        }

        if (fault.IsFound)
        {
            string advice = isMeta
                ? "There is no other copy of the roots; do not write to this device and restore it from a backup."
                : "It can be rewritten from the metadata device.";
            throw new VolumeException(
                FsError.Corrupt,
                $"The super block of {role} device {device.Name} is damaged ({fault.Describe()}). {advice}",
                fault);
        }

        var super = Disk.Ref<SuperBlock>(buffer.Span);
        if (super.FormatVersion < FormatConstants.MinFormatVersion
            || super.FormatVersion > FormatConstants.MaxFormatVersion)
        {
            throw new VolumeException(
                FsError.Unsupported,
                $"The volume on {device.Name} has format version {super.FormatVersion}; this program knows versions "
                + $"{FormatConstants.MinFormatVersion} to {FormatConstants.MaxFormatVersion}. Use a newer program.");
        }

        bool saysMeta = (super.Flags & SuperBlock.FlagMeta) != 0;
        if (saysMeta != isMeta)
        {
            throw new VolumeException(
                FsError.Invalid,
                $"{device.Name} is the volume's {(saysMeta ? "metadata" : "data")} device, given as the {role} device. "
                + "Name the metadata device first, then the data device.");
        }

        return super;
    }

    /// <summary>The volume may be mounted, or needs recovery (format §5).</summary>
    /// <exception cref="VolumeException">A quorum block cannot be read.</exception>
    public static async ValueTask<bool> IsInUseAsync(
        IBlockDevice meta, SuperBlock super, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (!super.MountedClients.Ref.IsNone)
            return true;
        for (int slot = 0; slot < FormatConstants.QuorumSlots; slot++)
        {
            if (super.QuorumConfig.Slots[slot].Family == InetAddress.FamilyNone)
                continue;
            ulong blkno = FormatConstants.QuorumBlkno + (ulong)slot;
            var error = await SmallBlocks.ReadAsync(meta, blkno, buffer, cancellationToken);
            if (error != FsError.None)
            {
                throw new VolumeException(
                    error, $"Cannot read quorum block {slot} of {meta.Name}: {FsErrorTable.TextOf(error)}.");
            }

            // A bad quorum block cannot prove that its owner has left.
            if (SmallBlocks.Verify(buffer.Span, BlockMagic.Quorum, blkno, super.Header.Fsid).IsFound)
                return true;
            ref readonly var quorum = ref Disk.Ref<QuorumBlock>(buffer.Span);
            if (quorum.Events[(int)QuorumEventKind.Begin].WriteNr.Value
                > quorum.Events[(int)QuorumEventKind.End].WriteNr.Value)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The uuid of a super block as tools print it.</summary>
    public static string FormatUuid(in SuperBlock super)
    {
        ReadOnlySpan<byte> bytes = super.Uuid;
        return new Guid(bytes, bigEndian: true).ToString("D");
    }

    /// <summary>Turns an engine error of this volume into the exception that tells the user.</summary>
    public VolumeException Failure(FsError error, in Corruption fault, string doing)
    {
        string detail = fault.IsFound ? fault.Describe() : FsErrorTable.TextOf(error);
        string advice = FsErrorTable.ClassOf(error) == FsErrorClass.Corruption
            ? $" Run \"scoutfs check {Meta.Name} {DataDevice?.Name ?? "DATA"}\" to learn what is damaged."
            : string.Empty;
        return new VolumeException(error, $"Cannot {doing} on {Meta.Name}: {detail}.{advice}", fault);
    }

    /// <inheritdoc/>
    public void Dispose() => _cache?.Dispose();

    private static void RequireSizes(in SuperBlock super, IBlockDevice meta, IBlockDevice? data)
    {
        RequireSize(meta, super.TotalMetaBlocks, FormatConstants.LargeBlockBytes, "metadata");
        if (data is not null)
            RequireSize(data, super.TotalDataBlocks, FormatConstants.SmallBlockBytes, "data");
    }

    private static void RequireSize(IBlockDevice device, ulong blocks, int blockBytes, string role)
    {
        if (blocks <= (ulong)(device.SizeBytes / blockBytes))
            return;
        throw new VolumeException(
            FsError.TooSmall,
            $"The {role} device {device.Name} has {device.SizeBytes} bytes, but the volume needs {blocks} blocks of "
            + $"{blockBytes} bytes. Give the whole device; a truncated copy cannot be used.");
    }

    private static void RequirePair(in SuperBlock meta, in SuperBlock data)
    {
        if (Disk.Bytes(in meta.Uuid).SequenceEqual(Disk.Bytes(in data.Uuid))
            && meta.Header.Fsid == data.Header.Fsid && meta.FormatVersion == data.FormatVersion)
        {
            return;
        }

        throw new VolumeException(
            FsError.Invalid,
            $"The devices belong to different volumes: metadata uuid {FormatUuid(meta)} version {meta.FormatVersion}, "
            + $"data uuid {FormatUuid(data)} version {data.FormatVersion}. Give the two devices of one volume.");
    }

    private async ValueTask LoadForestAsync(CancellationToken cancellationToken)
    {
        int blocks = (int)Math.Clamp(_cacheBytes / FormatConstants.LargeBlockBytes, 32, int.MaxValue);
        while (true)
        {
            _cache?.Dispose();
            _cache = new BlockCache(
                Meta, blocks, _super.Header.Fsid, _super.TotalMetaBlocks, BtreeShape.Verify);
            var (roots, error, fault) = await ForestRoots.LoadAsync(
                _cache, _super.FsRoot, _super.LogsRoot, _super.LogMerge, cancellationToken);
            if (roots is null)
                throw Failure(error, fault, "read the list of log trees");
            Roots = roots;

            // Every tree of a scan holds a leaf, and needs another to move on.
            int needed = (2 * roots.Sources.Count) + 16;
            if (needed <= blocks)
                return;
            blocks = needed;
        }
    }
}

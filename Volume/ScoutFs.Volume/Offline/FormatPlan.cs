using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>What a user asks for when creating a volume; nothing in it has been checked.</summary>
public sealed record FormatRequest
{
    /// <summary>Quorum members, at least one.</summary>
    public required IReadOnlyList<QuorumSlot> Slots { get; init; }

    /// <summary>Use at most this many bytes of the metadata device; null: all.</summary>
    public ulong? MetaLimitBytes { get; init; }

    /// <summary>Use at most this many bytes of the data device; null: all.</summary>
    public ulong? DataLimitBytes { get; init; }

    /// <summary>Volume option data_alloc_zone_blocks, unit 4 KiB; null: not set.</summary>
    public ulong? DataAllocZoneBlocks { get; init; }

    /// <summary>Format version, 1 or 2.</summary>
    public ulong FormatVersion { get; init; } = FormatConstants.MaxFormatVersion;

    /// <summary>Accept devices below 64 GiB.</summary>
    public bool AllowSmall { get; init; }
}

/// <summary>Something the user should know about a plan.</summary>
/// <param name="IsDiagnostic">True for standard error, false for standard output (archive §12.3).</param>
/// <param name="Text">A line.</param>
public readonly record struct FormatNote(bool IsDiagnostic, string Text);

/// <summary>Everything that mkfs writes, checked: same plan, same bytes (format §15).</summary>
public sealed record FormatPlan
{
    /// <summary>Smallest device without <see cref="FormatRequest.AllowSmall"/>: 64 GiB.</summary>
    public const ulong MinDeviceBytes = 64UL << 30;

    /// <summary>Metadata blocks of the smallest volume: 1031 used ones and one for each free tree.</summary>
    public const ulong MinMetaBlocks = 1033;

    /// <summary>Data blocks of the smallest volume: 64 reserved ones and a free one.</summary>
    public const ulong MinDataBlocks = 65;

    /// <summary>Least value of data_alloc_zone_blocks: 4 GiB (format §4).</summary>
    public const ulong MinZoneBlocks = 1048576;

    private FormatPlan()
    {
    }

    /// <summary>Blocks of 64 KiB of the metadata device, counted from block 0.</summary>
    public required ulong TotalMetaBlocks { get; init; }

    /// <summary>Blocks of 4 KiB of the data device, counted from block 0.</summary>
    public required ulong TotalDataBlocks { get; init; }

    /// <summary>Quorum members.</summary>
    public required IReadOnlyList<QuorumSlot> Slots { get; init; }

    /// <summary>Volume option data_alloc_zone_blocks, or null.</summary>
    public ulong? DataAllocZoneBlocks { get; init; }

    /// <summary>Format version, 1 or 2.</summary>
    public required ulong FormatVersion { get; init; }

    /// <summary>Id of the volume in every block.</summary>
    public required ulong Fsid { get; init; }

    /// <summary>The volume's uuid.</summary>
    public required Guid Uuid { get; init; }

    /// <summary>Time stamps of the root directory.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>What the user should know, in the order to be printed.</summary>
    public IReadOnlyList<FormatNote> Notes { get; private init; } = [];

    /// <summary>Checks a request against two devices and fixes everything that is left open.</summary>
    /// <param name="request">What the user asked for.</param>
    /// <param name="metaBytes">Size of the metadata device.</param>
    /// <param name="dataBytes">Size of the data device.</param>
    /// <param name="random">Source of fsid and uuid.</param>
    /// <param name="now">Time stamps of the root directory.</param>
    /// <exception cref="VolumeException">The request cannot be met.</exception>
    public static FormatPlan Create(
        FormatRequest request, ulong metaBytes, ulong dataBytes, Prng random, DateTimeOffset now)
    {
        if (QuorumSlot.FaultOf(request.Slots) is { } slotFault)
            throw new VolumeException(FsError.Invalid, slotFault);
        if (request.FormatVersion is < FormatConstants.MinFormatVersion or > FormatConstants.MaxFormatVersion)
        {
            throw new VolumeException(
                FsError.Invalid,
                $"Format version {request.FormatVersion} is not one of {FormatConstants.MinFormatVersion} to "
                + $"{FormatConstants.MaxFormatVersion}.");
        }

        var notes = new List<FormatNote>();
        ulong metaBlocks = Blocks("meta", metaBytes, request.MetaLimitBytes, FormatConstants.LargeBlockBytes, notes);
        ulong dataBlocks = Blocks("data", dataBytes, request.DataLimitBytes, FormatConstants.SmallBlockBytes, notes);
        RequireMinimum("meta", metaBlocks, FormatConstants.LargeBlockBytes, MinMetaBlocks, request, notes);
        RequireMinimum("data", dataBlocks, FormatConstants.SmallBlockBytes, MinDataBlocks, request, notes);
        if (request.DataAllocZoneBlocks is { } zone)
            RequireZone(zone, dataBlocks);
        return new FormatPlan
        {
            TotalMetaBlocks = metaBlocks,
            TotalDataBlocks = dataBlocks,
            Slots = [.. request.Slots.OrderBy(slot => slot.Nr)],
            DataAllocZoneBlocks = request.DataAllocZoneBlocks,
            FormatVersion = request.FormatVersion,
            Fsid = RandomFsid(random),
            Uuid = RandomUuid(random),
            Created = now,
            Notes = notes,
        };
    }

    private static ulong Blocks(
        string role, ulong deviceBytes, ulong? limitBytes, int blockBytes, List<FormatNote> notes)
    {
        ulong blocks = deviceBytes / (ulong)blockBytes;
        if (limitBytes is not { } limit)
            return blocks;
        ulong limitBlocks = limit / (ulong)blockBytes;
        if (limit % (ulong)blockBytes != 0)
        {
            ulong rounded = limitBlocks * (ulong)blockBytes;
            notes.Add(new FormatNote(
                true,
                $"Rounding {role} device size limit {SizeText.OfCount(limit, 1)} down to "
                + $"{SizeText.OfCount(rounded, 1)}, a multiple of {blockBytes}."));
        }

        if (limitBlocks > blocks)
        {
            notes.Add(new FormatNote(
                false,
                $"Device size limit of {SizeText.OfCount(limit, 1)} for the {role} device exceeds its size "
                + $"{SizeText.OfCount(deviceBytes, 1)}. Device size limit ignored."));
            return blocks;
        }

        notes.Add(new FormatNote(
            false,
            $"Limiting use of the {role} device to {SizeText.OfCount(limitBlocks * (ulong)blockBytes, 1)} of "
            + $"{SizeText.OfCount(deviceBytes, 1)}."));
        return limitBlocks;
    }

    private static void RequireMinimum(
        string role, ulong blocks, int blockBytes, ulong minBlocks, FormatRequest request, List<FormatNote> notes)
    {
        ulong bytes = blocks * (ulong)blockBytes;
        if (blocks < minBlocks)
        {
            throw new VolumeException(
                FsError.TooSmall,
                $"{SizeText.OfCount(bytes, 1)} is too small for a {role} device: even an empty volume needs "
                + $"{SizeText.OfCount(minBlocks * (ulong)blockBytes, 1)}.");
        }

        if (bytes >= MinDeviceBytes)
            return;
        string least = SizeText.OfCount(MinDeviceBytes, 1);
        string text = $"{SizeText.OfCount(bytes, 1)} too small for min {least} {role} device";
        if (!request.AllowSmall)
        {
            throw new VolumeException(
                FsError.TooSmall, $"{text}. Give a device of at least 64 GiB, or -A to allow a small one for a trial.");
        }

        notes.Add(new FormatNote(true, $"{text}, allowing with -A"));
    }

    private static void RequireZone(ulong zone, ulong dataBlocks)
    {
        ulong least = Math.Max(MinZoneBlocks, (dataBlocks + FormatConstants.DataZones - 1) / FormatConstants.DataZones);
        if (zone >= least && zone <= dataBlocks)
            return;
        throw new VolumeException(
            FsError.Invalid,
            string.Create(
                CultureInfo.InvariantCulture,
                $"data_alloc_zone_blocks {zone} is outside {least} to {dataBlocks}: zones have at least 4 GiB, ")
            + $"there are at most {FormatConstants.DataZones} of them, and none is larger than the data device.");
    }

    private static ulong RandomFsid(Prng random)
    {
        // 0 would be no id.
        ulong fsid = random.NextUInt64();
        return fsid == 0 ? 1 : fsid;
    }

    private static Guid RandomUuid(Prng random)
    {
        Span<byte> bytes = stackalloc byte[16];
        random.Fill(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}

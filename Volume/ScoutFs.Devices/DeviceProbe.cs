using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Devices;

/// <summary>Something that a device was found to hold.</summary>
/// <param name="Name">What, for a sentence: "ext4 filesystem", "LVM2 physical volume".</param>
/// <param name="OffsetBytes">Where its mark is.</param>
public sealed record DeviceSignature(string Name, long OffsetBytes);

/// <summary>What a device was found to hold.</summary>
/// <param name="Error">None, or why the device could not be read to the end.</param>
/// <param name="Found">Every mark, by offset; empty on a device that holds nothing known.</param>
public sealed record DeviceProbeResult(FsError Error, IReadOnlyList<DeviceSignature> Found);

/// <summary>Recognises what is on a device, before something else is written there.</summary>
/// <remarks>
/// Looks for marks in the first and last MiB. Where a mark is short and may occur by chance (ext, FAT, partition
/// tables) fields around it must make sense too. A mark that is left over from an older use counts: whether it still
/// means anything is for the user to say. An empty first sector without 55 AA is nothing.
/// </remarks>
public static class DeviceProbe
{
    // The mark of VMFS is right behind the first MiB.
    private const int HeadBytes = (1 << 20) + BlockPool.BlockBytes;
    private const int TailBytes = 1 << 20;

    /// <summary>Probes a device; reads 2 MiB at most.</summary>
    public static async ValueTask<DeviceProbeResult> FindAsync(
        IBlockDevice device, CancellationToken cancellationToken)
    {
        var head = new byte[Math.Min(HeadBytes, device.SizeBytes)];
        var tail = new byte[Math.Min(TailBytes, device.SizeBytes)];
        long tailBytes = device.SizeBytes - tail.Length;
        using var pool = new BlockPool(1);
        var block = pool.TryRent()!;
        try
        {
            var error = await ReadAsync(device, 0, head, block.Memory, cancellationToken);
            if (error == FsError.None)
                error = await ReadAsync(device, tailBytes, tail, block.Memory, cancellationToken);
            if (error != FsError.None)
                return new DeviceProbeResult(error, []);
        }
        finally
        {
            pool.Return(block);
        }

        return new DeviceProbeResult(FsError.None, Find(new ProbedBytes(device.SizeBytes, head, tail)));
    }

    /// <summary>Looks for marks in what has been read.</summary>
    private static List<DeviceSignature> Find(ProbedBytes bytes)
    {
        var found = new List<DeviceSignature>();
        foreach (var mark in SignatureTable.Marks)
        {
            if (bytes.At(mark.OffsetBytes, mark.Bytes.Length).SequenceEqual(mark.Bytes))
                found.Add(new DeviceSignature(mark.Name, mark.OffsetBytes));
        }

        foreach (var look in SignatureTable.Looks)
            look(bytes, found);

        // On a small device beginning and end overlap.
        return [.. found.Distinct().OrderBy(signature => signature.OffsetBytes)];
    }

    private static async ValueTask<FsError> ReadAsync(
        IBlockDevice device,
        long offsetBytes,
        Memory<byte> into,
        Memory<byte> block,
        CancellationToken cancellationToken)
    {
        while (!into.IsEmpty)
        {
            var part = block[..Math.Min(block.Length, into.Length)];
            var error = await device.ReadAsync(offsetBytes, part, cancellationToken);
            if (error != FsError.None)
                return error;
            part.CopyTo(into);
            into = into[part.Length..];
            offsetBytes += part.Length;
        }

        return FsError.None;
    }
}

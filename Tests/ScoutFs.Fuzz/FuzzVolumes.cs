using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Fuzz;

/// <summary>Where seeds come from: blocks and items of samples and of the small golden volumes.</summary>
internal static class FuzzVolumes
{
    /// <summary>Seeds of one kind that are taken of one volume at most; more of the same teach nothing.</summary>
    private const int MaxSeeds = 12;

    private static readonly SemaphoreSlim Loading = new(1);
    private static IReadOnlyList<VolumeEditor>? _all;

    /// <summary>All volumes that seeds are taken from.</summary>
    public static async Task<IReadOnlyList<VolumeEditor>> AllAsync()
    {
        await Loading.WaitAsync();
        try
        {
            return _all ??= await LoadAsync();
        }
        finally
        {
            _ = Loading.Release();
        }
    }

    /// <summary>Large blocks of a type.</summary>
    public static async Task<IReadOnlyList<byte[]>> LargeAsync(BlockMagic magic)
    {
        List<byte[]> blocks = [];
        foreach (var volume in await AllAsync())
        {
            blocks.AddRange(volume.Meta.AllocatedOffsets()
                .Where(offset => offset >= 2 * FormatConstants.LargeBlockBytes)
                .Select(offset => volume.ReadLarge((ulong)offset / FormatConstants.LargeBlockBytes))
                .Where(block => Disk.Ref<BlockHeader>(block.AsSpan()).Magic == (uint)magic)
                .Take(MaxSeeds));
        }

        return blocks;
    }

    /// <summary>Small metadata blocks from the fixed places.</summary>
    public static async Task<IReadOnlyList<byte[]>> SmallAsync(ulong first, int count)
    {
        List<byte[]> blocks = [];
        foreach (var volume in await AllAsync())
        {
            for (int i = 0; i < count; i++)
                blocks.Add(VolumeEditor.ReadSmall(volume.Meta, first + (ulong)i));
        }

        return blocks;
    }

    /// <summary>Values of live file system items of a type, the parts of one object put together.</summary>
    public static async Task<IReadOnlyList<byte[]>> ValuesAsync(byte type)
    {
        List<byte[]> values = [];
        foreach (var volume in await AllAsync())
        {
            values.AddRange(volume.LiveItems()
                .Where(item => item.Key.Zone == KeyZone.Fs && item.Key.Type == type)
                .GroupBy(item => type == KeyType.Xattr
                    ? (item.Key.First.Value, item.Key.Second.Value, item.Key.Third.Value, 0)
                    : (item.Key.First.Value, item.Key.Second.Value, item.Key.Third.Value, (int)item.Key.Fourth))
                .Select(parts => parts.SelectMany(part => part.Value).ToArray())
                .Where(value => value.Length < 5000)
                .Take(MaxSeeds));
        }

        return values;
    }

    /// <summary>The small volumes, packed.</summary>
    public static async Task<IReadOnlyList<byte[]>> PackedAsync()
    {
        List<byte[]> packed = [];
        foreach (var sample in (SampleVolume[])[SampleVolume.Tiny, SampleVolume.Busy])
        {
            var volume = sample.Edit();
            using var stream = new MemoryStream();
            await PackedVolume.PackAsync(volume.Meta, volume.Data, stream, null, CancellationToken.None);
            packed.Add(stream.ToArray());
        }

        return packed;
    }

    private static async Task<IReadOnlyList<VolumeEditor>> LoadAsync()
    {
        List<VolumeEditor> volumes = [SampleVolume.Busy.Edit(), SampleVolume.Plain.Edit(), SampleVolume.Tiny.Edit()];
        foreach (string name in (string[])["g1-basic", "g4-archive"])
        {
            var golden = await GoldenVolume.LoadAsync(name);
            volumes.Add(new VolumeEditor(
                await VolumeEditorDevice.CopyAsync(golden.Meta, CancellationToken.None),
                await VolumeEditorDevice.CopyAsync(golden.DataDevice, CancellationToken.None)));
        }

        return volumes;
    }
}

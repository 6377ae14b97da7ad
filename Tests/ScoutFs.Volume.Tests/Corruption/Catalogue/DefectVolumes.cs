using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Testing;

namespace ScoutFs.Volume.Tests.Planting;

/// <summary>Opens the volumes that defects are planted into.</summary>
internal static class DefectVolumes
{
    // Held while a volume is loaded, so that it is loaded once.
    private static readonly SemaphoreSlim Loading = new(1);
    private static readonly Dictionary<string, VolumeEditor> Loaded = [];

    /// <summary>A copy of a base to change; cheap, except for the first of a golden volume.</summary>
    public static Task<VolumeEditor> OpenAsync(DefectOrigin volume) => volume switch
    {
        DefectOrigin.Busy => Task.FromResult(SampleVolume.Busy.Edit()),
        DefectOrigin.Plain => Task.FromResult(SampleVolume.Plain.Edit()),
        DefectOrigin.Tiny => Task.FromResult(SampleVolume.Tiny.Edit()),
        DefectOrigin.GoldenEmpty => OpenGoldenAsync("g0-empty"),
        DefectOrigin.GoldenBasic => OpenGoldenAsync("g1-basic"),
        DefectOrigin.GoldenArchive => OpenGoldenAsync("g4-archive"),
        _ => throw new ArgumentOutOfRangeException(nameof(volume)),
    };

    /// <summary>A copy of a small golden volume to change; the volume stays in memory.</summary>
    public static async Task<VolumeEditor> OpenGoldenAsync(string name)
    {
        await Loading.WaitAsync();
        try
        {
            if (!Loaded.TryGetValue(name, out var volume))
                Loaded.Add(name, volume = await LoadAsync(name));
            return volume.Fork();
        }
        finally
        {
            _ = Loading.Release();
        }
    }

    private static async Task<VolumeEditor> LoadAsync(string name)
    {
        var golden = await GoldenVolume.LoadAsync(name);
        return new VolumeEditor(
            await VolumeEditorDevice.CopyAsync(golden.Meta, CancellationToken.None),
            await VolumeEditorDevice.CopyAsync(golden.DataDevice, CancellationToken.None));
    }
}

using System.Diagnostics.CodeAnalysis;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Devices;

/// <summary>An opened device, or why there is none.</summary>
public sealed class DeviceOpenResult
{
    private DeviceOpenResult(FsError error, string message, RawBlockDevice? device)
    {
        Error = error;
        Message = message;
        Device = device;
    }

    /// <summary>
    /// None, DeviceNotFound, AccessDenied, DeviceBusy, TooSmall, Misaligned (sectors of more than 4096 bytes),
    /// Unsupported (no device and no file), ReadOnly (write protected), Exists or Invalid (creating), Io.
    /// </summary>
    public FsError Error { get; }

    /// <summary>What went wrong, with the path, and what to do about it: full sentences. Empty on success.</summary>
    public string Message { get; }

    /// <summary>The device, to be disposed of by the caller; null on failure.</summary>
    public RawBlockDevice? Device { get; }

    /// <summary>True when there is a device.</summary>
    [MemberNotNullWhen(true, nameof(Device))]
    public bool IsOpen => Device is not null;

    internal static DeviceOpenResult Of(RawBlockDevice device) => new(FsError.None, "", device);

    internal static DeviceOpenResult Failed(FsError error, string message) => new(error, message, null);
}

namespace ScoutFs.Devices;

/// <summary>What a device is opened for.</summary>
public enum DeviceAccess
{
    /// <summary>Reading.</summary>
    Read,

    /// <summary>Reading and writing.</summary>
    ReadWrite,
}

/// <summary>How to open a device.</summary>
public sealed record DeviceOpenOptions
{
    /// <summary>For reading, and nothing else.</summary>
    public static DeviceOpenOptions ForReading { get; } = new();

    /// <summary>For reading and writing by one program at a time.</summary>
    public static DeviceOpenOptions ForWriting { get; } = new()
    {
        Access = DeviceAccess.ReadWrite,
        Exclusive = true,
    };

    /// <summary>What the device is opened for.</summary>
    public DeviceAccess Access { get; init; }

    /// <summary>
    /// Refuse a device that another program has opened exclusively, or that is mounted, and keep others out likewise.
    /// On Windows openers that did not ask for exclusiveness are kept out as well.
    /// </summary>
    public bool Exclusive { get; init; }

    /// <summary>
    /// Creates an image file of this size first, all holes; a positive multiple of 4096. The file must not exist. Null
    /// opens what exists.
    /// </summary>
    public long? CreateSizeBytes { get; init; }
}

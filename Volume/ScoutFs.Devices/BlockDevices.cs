using System;

namespace ScoutFs.Devices;

/// <summary>Opens disks, partitions and image files. The only entry to real devices.</summary>
public static class BlockDevices
{
    /// <summary>Opens a device, unbuffered where the operating system allows it.</summary>
    /// <param name="path">
    /// An image file; on Linux a block device (<c>/dev/sdb</c>); on Windows a disk (<c>\\.\PhysicalDrive1</c>) or a
    /// volume (<c>\\.\E:</c>).
    /// </param>
    /// <param name="options">What for.</param>
    /// <returns>The device or the reason; never throws because of what the path names.</returns>
    public static DeviceOpenResult Open(string path, DeviceOpenOptions options)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(options);
        if (options.CreateSizeBytes is { } sizeBytes && ImageFile.Create(path, sizeBytes) is { } failure)
            return failure;
        return RawBlockDevice.Open(path, options);
    }
}

using System;
using System.IO;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Devices;

/// <summary>Creates image files: files that stand in for disks.</summary>
internal static class ImageFile
{
    /// <summary>Creates a file that is all holes and takes no room until it is written to.</summary>
    /// <returns>Null, or why it could not be created; then nothing is left behind.</returns>
    public static DeviceOpenResult? Create(string path, long sizeBytes)
    {
        if (sizeBytes <= 0 || sizeBytes % 4096 != 0)
        {
            return DeviceOpenResult.Failed(
                FsError.Invalid,
                $"An image file of {sizeBytes} bytes cannot be created at {path}: give a multiple of 4096.");
        }

        if (File.Exists(path) || Directory.Exists(path))
        {
            return DeviceOpenResult.Failed(
                FsError.Exists, $"{path} exists already. Choose another name, or open it without creating it.");
        }

        bool isCreated = false;
        try
        {
            using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
            isCreated = true;
            if (OperatingSystem.IsWindows())
                WindowsNative.SetSparse(file.SafeFileHandle);
            file.SetLength(sizeBytes);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // The length was refused, for instance: half an image is worse than none.
            if (isCreated)
                File.Delete(path);
            var error = e switch
            {
                UnauthorizedAccessException => FsError.AccessDenied,
                DirectoryNotFoundException => FsError.DeviceNotFound,
                _ => FsError.Io,
            };
            string why = e is ArgumentException
                ? "the file system there does not allow files of that size"
                : e.Message.TrimEnd('.');
            return DeviceOpenResult.Failed(
                error, $"The image file {path} of {sizeBytes} bytes cannot be created: {why}.");
        }
    }
}

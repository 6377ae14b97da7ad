using System;
using System.Diagnostics;
using System.IO;
using System.Text;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Devices;
using ScoutFs.Volume.Blocks;

namespace ScoutFs.Integration.Tests.Devices;

/// <summary>What a device under test is made of.</summary>
public enum DiskKind
{
    /// <summary>A memory device.</summary>
    Memory,

    /// <summary>An image file in the folder for temporary files.</summary>
    Image,

    /// <summary>An image file on tmpfs, which does not know O_DIRECT on every kernel.</summary>
    ImageInMemory,

    /// <summary>A loop device; needs root.</summary>
    Loop,
}

/// <summary>A device to test with, and everything below it, which is gone afterwards.</summary>
internal sealed class TestDisk : IAsyncDisposable
{
    private readonly DirectoryInfo? _folder;
    private readonly string? _loop;

    private TestDisk(DiskKind kind, long sizeBytes, DirectoryInfo? folder, string path, string? loop)
    {
        Kind = kind;
        SizeBytes = sizeBytes;
        _folder = folder;
        ImagePath = path;
        _loop = loop;
    }

    public DiskKind Kind { get; }

    public long SizeBytes { get; }

    /// <summary>The file below.</summary>
    public string ImagePath { get; }

    /// <summary>What to open.</summary>
    public string Path => _loop ?? ImagePath;

    /// <summary>Makes a disk of zeros, or ignores the test where this machine cannot.</summary>
    public static TestDisk Create(DiskKind kind, long sizeBytes, params string[] losetupArguments)
    {
        if (kind == DiskKind.Memory)
            return new TestDisk(kind, sizeBytes, null, "memory", null);
        const string SharedMemory = "/dev/shm";
        if (kind == DiskKind.ImageInMemory && !Directory.Exists(SharedMemory))
            Assert.Ignore("There is no tmpfs here.");
        var folder = kind == DiskKind.ImageInMemory
            ? Directory.CreateDirectory(System.IO.Path.Combine(SharedMemory, System.IO.Path.GetRandomFileName()))
            : Directory.CreateTempSubdirectory("scoutfs-");
        string path = System.IO.Path.Combine(folder.FullName, "disk.img");
        using (var file = File.Create(path))
            file.SetLength(sizeBytes);
        if (kind != DiskKind.Loop)
            return new TestDisk(kind, sizeBytes, folder, path, null);
        RequireRoot();
        if (!TryRun("losetup", out string loop, ["--find", "--show", .. losetupArguments, path]))
        {
            folder.Delete(recursive: true);
            Assert.Ignore($"Loop devices cannot be set up here: {loop}");
        }

        return new TestDisk(kind, sizeBytes, folder, path, loop);
    }

    public static void RequireRoot()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
            Assert.Ignore("Needs root on Linux.");
    }

    /// <summary>Runs a program. False: it is not there, or failed, and the text is what it complained about.</summary>
    public static bool TryRun(string program, out string text, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(
                new ProcessStartInfo(program, arguments)
                {
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                    RedirectStandardInput = true,
                })!;
            process.StandardInput.Close();
            var complaints = new StringBuilder();
            process.ErrorDataReceived += (_, line) => complaints.AppendLine(line.Data);
            process.BeginErrorReadLine();
            text = process.StandardOutput.ReadToEnd().Trim();
            process.WaitForExit();
            if (process.ExitCode != 0)
                text = $"{program}: {text} {complaints.ToString().Trim()}";
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            text = e.Message;
            return false;
        }
    }

    /// <summary>Opens the disk for reading and writing; not exclusively.</summary>
    public IBlockDevice Open() => Kind == DiskKind.Memory
        ? new MemoryBlockDevice("memory", SizeBytes)
        : Open(new DeviceOpenOptions { Access = DeviceAccess.ReadWrite });

    /// <summary>Opens the disk, which must work.</summary>
    public RawBlockDevice Open(DeviceOpenOptions options) => OpenPath(Path, options);

    public static RawBlockDevice OpenPath(string path, DeviceOpenOptions options)
    {
        var result = BlockDevices.Open(path, options);
        Assert.That(result.Message, Is.Empty);
        Assert.That(result.IsOpen);
        return result.Device!;
    }

    public ValueTask DisposeAsync()
    {
        if (_loop is not null && !TryRun("losetup", out string text, "--detach", _loop))
            Assert.Fail(text);
        _folder?.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }
}

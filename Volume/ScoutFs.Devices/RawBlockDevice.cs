using System;
using System.Collections.Generic;
using System.IO;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Win32.SafeHandles;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Devices;

/// <summary>A disk, partition or image file, opened unbuffered.</summary>
/// <remarks>
/// <para>Unbuffered, because on a disk that several machines share a page cache shows what the disk once held. Where
/// the filesystem under an image file refuses that, <see cref="Note"/> says so.</para>
/// <para>Transfers go through <see cref="RandomAccess"/>: overlapped I/O on Windows, thread pool on Linux. A transfer
/// of one buffer allocates nothing while no other is in flight, which a test measures.</para>
/// <para>How a path becomes a handle and what its errors mean is in one part a system: RawBlockDevice.Linux.cs,
/// RawBlockDevice.Windows.cs. Both are compiled everywhere.</para>
/// </remarks>
public sealed partial class RawBlockDevice : IBlockDevice, IAllocatedRanges
{
    private const int Alignment = 4096;

    // IOV_MAX of Linux. More buffers than that are transferred one after the other.
    private const int MaxBuffersPerCall = 1024;

    private readonly SafeFileHandle _handle;
    private readonly bool _mayHaveHoles;
    private volatile string? _lastIoError;

    private RawBlockDevice(
        string path, SafeFileHandle handle, long sizeBytes, bool isWritable, bool isImage, string? note)
    {
        Name = path;
        SizeBytes = sizeBytes;
        IsWritable = isWritable;
        IsImage = isImage;
        Note = note;
        _handle = handle;
        _mayHaveHoles = isImage;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long SizeBytes { get; }

    /// <inheritdoc/>
    public bool IsWritable { get; }

    /// <summary>True for an image file, false for a disk or partition.</summary>
    public bool IsImage { get; }

    /// <summary>True when transfers go past the page cache.</summary>
    public bool IsDirect => Note is null;

    /// <summary>A sentence the user should read, or null: why the device is not accessed unbuffered.</summary>
    public string? Note { get; }

    /// <summary>What was behind the last <see cref="FsError.Io"/>, or null if there was none. Any thread.</summary>
    public string? LastIoError => _lastIoError;

    /// <inheritdoc/>
    public ValueTask<FsError> ReadAsync(long offsetBytes, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var error = Check(offsetBytes, buffer.Length, isWrite: false, cancellationToken);
        if (error == FsError.None && !IsAligned(buffer.Span))
            error = FsError.Misaligned;
        return error == FsError.None ? ReadFullyAsync(offsetBytes, buffer) : new(error);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> ReadAsync(
        long offsetBytes, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        long totalBytes = 0;
        bool isAligned = true;
        for (int i = 0; i < buffers.Count; i++)
        {
            totalBytes += buffers[i].Length;
            isAligned &= buffers[i].Length % Alignment == 0 && IsAligned(buffers[i].Span);
        }

        var error = Check(offsetBytes, totalBytes, isWrite: false, cancellationToken);
        if (error == FsError.None && !isAligned)
            error = FsError.Misaligned;
        return error == FsError.None ? ReadFullyAsync(offsetBytes, buffers, totalBytes) : new(error);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> WriteAsync(
        long offsetBytes, ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        var error = Check(offsetBytes, buffer.Length, isWrite: true, cancellationToken);
        if (error == FsError.None && !IsAligned(buffer.Span))
            error = FsError.Misaligned;
        return error == FsError.None ? WriteFullyAsync(offsetBytes, buffer) : new(error);
    }

    /// <inheritdoc/>
    public ValueTask<FsError> WriteAsync(
        long offsetBytes, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        long totalBytes = 0;
        bool isAligned = true;
        for (int i = 0; i < buffers.Count; i++)
        {
            totalBytes += buffers[i].Length;
            isAligned &= buffers[i].Length % Alignment == 0 && IsAligned(buffers[i].Span);
        }

        var error = Check(offsetBytes, totalBytes, isWrite: true, cancellationToken);
        if (error == FsError.None && !isAligned)
            error = FsError.Misaligned;
        return error == FsError.None ? WriteFullyAsync(offsetBytes, buffers) : new(error);
    }

    /// <inheritdoc/>
    public async ValueTask<FsError> FlushAsync(CancellationToken cancellationToken)
    {
        if (!IsWritable)
            return FsError.ReadOnly;
        try
        {
            // Blocks for as long as the disk takes, and there is no asynchronous form of it.
            await Task.Run(() => RandomAccess.FlushToDisk(_handle), CancellationToken.None);
            return FsError.None;
        }
        catch (Exception e) when (IsDeviceFailure(e))
        {
            return Fail("flush", 0, e.Message);
        }
    }

    /// <inheritdoc/>
    public bool TryFindAllocated(long fromBytes, out long startBytes, out long endBytes)
    {
        startBytes = fromBytes;
        endBytes = SizeBytes;
        if (fromBytes >= SizeBytes)
            return false;
        if (!_mayHaveHoles)
            return true;
        bool? found = OperatingSystem.IsWindows()
            ? FindAllocatedOnWindows(fromBytes, ref startBytes, ref endBytes)
            : FindAllocatedOnLinux(fromBytes, ref startBytes, ref endBytes);

        // Not every filesystem knows its holes: then all of it may be data.
        if (found is null)
            (startBytes, endBytes, found) = (fromBytes, SizeBytes, true);
        startBytes = Math.Max(fromBytes, RoundDown(startBytes));
        endBytes = Math.Min(SizeBytes, RoundDown(endBytes + Alignment - 1));
        return found.Value && startBytes < endBytes;
    }

    /// <summary>Closes the device. Does not flush: a volume's writer decides what has to be durable.</summary>
    public ValueTask DisposeAsync()
    {
        _handle.Dispose();
        return ValueTask.CompletedTask;
    }

    internal static DeviceOpenResult Open(string path, DeviceOpenOptions options) =>
        OperatingSystem.IsWindows() ? OpenOnWindows(path, options)
        : OperatingSystem.IsLinux() ? OpenOnLinux(path, options)
        : DeviceOpenResult.Failed(
            FsError.Unsupported, $"{path} cannot be opened: only Linux and Windows are supported.");

    private static long RoundDown(long bytes) => bytes / Alignment * Alignment;

    private static DeviceOpenResult TooSmall(string path, long sizeBytes) => DeviceOpenResult.Failed(
        FsError.TooSmall, $"{path} has {sizeBytes} bytes, less than one block of {Alignment}. Choose a larger device.");

    private static DeviceOpenResult SectorsTooLarge(string path, long sectorBytes) => DeviceOpenResult.Failed(
        FsError.Misaligned,
        $"{path} has sectors of {sectorBytes} bytes; at most {Alignment} are supported, the size of the volume's small "
        + "blocks. Choose another device.");

    /// <summary>What .NET throws when the system call fails; anything else is a bug and passes.</summary>
    private static bool IsDeviceFailure(Exception e) =>
        e is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException or OperationCanceledException;

    private FsError Check(long offsetBytes, long lengthBytes, bool isWrite, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return FsError.Cancelled;
        if (isWrite && !IsWritable)
            return FsError.ReadOnly;
        if (offsetBytes % Alignment != 0 || lengthBytes % Alignment != 0)
            return FsError.Misaligned;
        return offsetBytes < 0 || lengthBytes > SizeBytes - offsetBytes ? FsError.OutOfRange : FsError.None;
    }

    /// <summary>
    /// Buffered handles take any address. The address of an array that is not pinned may change before the transfer:
    /// the kernel then refuses it, which is reported as an I/O error.
    /// </summary>
    private unsafe bool IsAligned(ReadOnlySpan<byte> buffer)
    {
        fixed (byte* address = buffer)
            return !IsDirect || (nuint)address % Alignment == 0;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<FsError> ReadFullyAsync(long offsetBytes, Memory<byte> buffer)
    {
        try
        {
            while (!buffer.IsEmpty)
            {
                int got = await RandomAccess.ReadAsync(_handle, buffer, offsetBytes, CancellationToken.None);
                if (got == 0)
                    return Fail("read", offsetBytes, "the device ends there; it was made smaller while it was open");
                offsetBytes += got;
                buffer = buffer[got..];
            }

            return FsError.None;
        }
        catch (Exception e) when (IsDeviceFailure(e))
        {
            return Fail("read", offsetBytes, e.Message);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<FsError> ReadFullyAsync(
        long offsetBytes, IReadOnlyList<Memory<byte>> buffers, long totalBytes)
    {
        long got = 0;
        if (buffers.Count <= MaxBuffersPerCall)
        {
            try
            {
                got = await RandomAccess.ReadAsync(_handle, buffers, offsetBytes, CancellationToken.None);
            }
            catch (Exception e) when (IsDeviceFailure(e))
            {
                return Fail("read", offsetBytes, e.Message);
            }
        }

        // The rest of a short transfer, buffer by buffer.
        for (int i = 0; got < totalBytes && i < buffers.Count; i++)
        {
            var buffer = buffers[i];
            int done = (int)Math.Min(got, buffer.Length);
            var error = await ReadFullyAsync(offsetBytes + done, buffer[done..]);
            if (error != FsError.None)
                return error;
            offsetBytes += buffer.Length;
            got -= done;
            totalBytes -= buffer.Length;
        }

        return FsError.None;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<FsError> WriteFullyAsync(long offsetBytes, ReadOnlyMemory<byte> buffer)
    {
        try
        {
            // RandomAccess continues short writes itself.
            await RandomAccess.WriteAsync(_handle, buffer, offsetBytes, CancellationToken.None);
            return FsError.None;
        }
        catch (Exception e) when (IsDeviceFailure(e))
        {
            return Fail("write", offsetBytes, e.Message);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<FsError> WriteFullyAsync(long offsetBytes, IReadOnlyList<ReadOnlyMemory<byte>> buffers)
    {
        try
        {
            if (buffers.Count <= MaxBuffersPerCall)
            {
                await RandomAccess.WriteAsync(_handle, buffers, offsetBytes, CancellationToken.None);
                return FsError.None;
            }

            for (int i = 0; i < buffers.Count; i++)
            {
                await RandomAccess.WriteAsync(_handle, buffers[i], offsetBytes, CancellationToken.None);
                offsetBytes += buffers[i].Length;
            }

            return FsError.None;
        }
        catch (Exception e) when (IsDeviceFailure(e))
        {
            return Fail("write", offsetBytes, e.Message);
        }
    }

    private FsError Fail(string verb, long offsetBytes, string reason)
    {
        _lastIoError = $"Cannot {verb} {Name} at byte {offsetBytes}: {reason.TrimEnd('.')}.";
        return FsError.Io;
    }
}

using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Win32.SafeHandles;

namespace ScoutFs.Cli;

/// <summary>Whoever read standard output went away, as "head" does after ten lines: no reason to go on.</summary>
internal sealed class OutputClosedException : Exception
{
    /// <summary>Creates the exception.</summary>
    public OutputClosedException()
        : base("Nobody reads the output any more.")
    {
    }

    /// <summary>Creates the exception with a message.</summary>
    public OutputClosedException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and its cause.</summary>
    public OutputClosedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}

/// <summary>Standard output that fails once, and tells why.</summary>
/// <remarks>
/// The stream of .NET's console drops what cannot be written to a closed pipe, so that a long print would go on to the
/// end of the volume for nobody. Here such a write throws <see cref="OutputClosedException"/>, any other failure (a
/// full disk) <see cref="IOException"/>. What is written after the first failure, while the command winds up, is
/// dropped.
/// </remarks>
internal sealed class CliOutput : Stream
{
    // EPIPE, which is what .NET gives as the result of the exception.
    private const int BrokenPipe = 32;

    private readonly Stream _inner;
    private bool _hasFailed;

    /// <summary>Wraps a stream whose writes fail with <see cref="IOException"/>.</summary>
    public CliOutput(Stream inner) => _inner = inner;

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Standard output of this process.</summary>
    public static Stream OfProcess()
    {
        if (OperatingSystem.IsWindows())
            return new CliOutput(Console.OpenStandardOutput());

        // A file keeps the console's stream, which shares its position with other programs that write there.
        const int StandardOutput = 1;
        try
        {
            var handle = new SafeFileHandle(StandardOutput, ownsHandle: false);
            var stream = new FileStream(handle, FileAccess.Write, bufferSize: 0);
            return new CliOutput(stream.CanSeek ? Console.OpenStandardOutput() : stream);
        }
        catch (Exception exception) when (exception is IOException or ArgumentException or UnauthorizedAccessException)
        {
            // Standard output may be closed, or anything at all.
            return new CliOutput(Console.OpenStandardOutput());
        }
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (_hasFailed)
            return;
        try
        {
            _inner.Write(buffer);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failure(exception);
        }
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(
        ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_hasFailed)
            return;
        try
        {
            await _inner.WriteAsync(buffer, cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failure(exception);
        }
    }

    /// <inheritdoc/>
    public override void Flush()
    {
        // The inner stream has no buffer.
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    private Exception Failure(Exception exception)
    {
        _hasFailed = true;
        return exception.HResult == BrokenPipe
            ? new OutputClosedException("Standard output is closed.", exception)
            : new IOException($"Cannot write to standard output: {exception.Message}.", exception.HResult);
    }
}

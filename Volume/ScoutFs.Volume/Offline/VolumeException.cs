using System;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>An offline operation cannot go on. The message is a full sentence for the user.</summary>
/// <remarks>
/// Offline tools are driven by people, not by a hot path: here an exception carries the message to the front end, which
/// prints it and maps <see cref="Error"/>. The engine below returns values.
/// </remarks>
public sealed class VolumeException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="error">The code, for exit codes and <c>--json</c>.</param>
    /// <param name="message">What happened, to what, and what to do.</param>
    /// <param name="fault">The damage behind it, if that was the cause.</param>
    public VolumeException(FsError error, string message, Corruption fault = default)
        : base(message)
    {
        Error = error;
        Fault = fault;
    }

    /// <summary>Creates the exception with a default message.</summary>
    public VolumeException()
        : this(FsError.Io, FsErrorTable.TextOf(FsError.Io))
    {
    }

    /// <summary>Creates the exception with a message.</summary>
    public VolumeException(string message)
        : this(FsError.Io, message)
    {
    }

    /// <summary>Creates the exception with a message and its cause.</summary>
    public VolumeException(string message, Exception innerException)
        : base(message, innerException) => Error = FsError.Io;

    /// <summary>The code.</summary>
    public FsError Error { get; }

    /// <summary>The damage behind it, if any.</summary>
    public Corruption Fault { get; }
}

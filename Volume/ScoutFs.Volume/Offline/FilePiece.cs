using System.Collections.Generic;

namespace ScoutFs.Volume.Offline;

/// <summary>Where some blocks of a piece lie.</summary>
/// <param name="BufferOffsetBytes">Place in the piece, a multiple of 4096.</param>
/// <param name="DeviceOffsetBytes">Place on the data device, a multiple of 4096.</param>
/// <param name="LengthBytes">A multiple of 4096; may pass the end of the file by less than a block.</param>
public readonly record struct FileRun(int BufferOffsetBytes, long DeviceOffsetBytes, int LengthBytes);

/// <summary>A range of a file that starts with something stored, and where that lies. Reused between calls.</summary>
/// <remarks>What no run covers reads as zeros. Filled by <see cref="FileContents.LocateAsync"/>.</remarks>
public sealed class FilePiece
{
    private readonly List<FileRun> _runs = [];

    /// <summary>Start in the file, a multiple of 4096.</summary>
    public ulong OffsetBytes { get; private set; }

    /// <summary>
    /// Bytes of the file in the piece. Ends with the last run, or with the file where that comes first. Offline pieces
    /// are as long as the offline range, others at most as long as was asked for.
    /// </summary>
    public ulong LengthBytes { get; private set; }

    /// <summary>The whole piece is archived elsewhere: there is nothing to read.</summary>
    public bool IsOffline { get; private set; }

    /// <summary>Stored parts in ascending order; none when offline.</summary>
    public IReadOnlyList<FileRun> Runs => _runs;

    /// <summary>First byte after the piece.</summary>
    public ulong EndBytes => OffsetBytes + LengthBytes;

    /// <summary>Bytes of a buffer that can take the piece: the length rounded up to blocks.</summary>
    public int BufferBytes => _runs.Count == 0 ? 0 : _runs[^1].BufferOffsetBytes + _runs[^1].LengthBytes;

    /// <summary>Starts an empty piece.</summary>
    internal void Begin(ulong offsetBytes, ulong lengthBytes, bool isOffline)
    {
        _runs.Clear();
        OffsetBytes = offsetBytes;
        LengthBytes = lengthBytes;
        IsOffline = isOffline;
    }

    /// <summary>Adds stored blocks behind those it has, joined with them where they adjoin on the device.</summary>
    internal void Add(in FileRun run, ulong lengthBytes)
    {
        LengthBytes = lengthBytes;
        if (_runs.Count > 0)
        {
            var last = _runs[^1];
            if (last.BufferOffsetBytes + last.LengthBytes == run.BufferOffsetBytes
                && last.DeviceOffsetBytes + last.LengthBytes == run.DeviceOffsetBytes)
            {
                _runs[^1] = last with { LengthBytes = last.LengthBytes + run.LengthBytes };
                return;
            }
        }

        _runs.Add(run);
    }
}

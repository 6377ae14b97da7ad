using System;
using System.Collections.Generic;
using System.IO;
using System.Security.Cryptography;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;
using FileMode = ScoutFs.Volume.Format.FileMode;

namespace ScoutFs.Volume.Offline;

/// <summary>How far a long operation is.</summary>
/// <param name="Paths">Paths visited.</param>
/// <param name="Bytes">Bytes of file contents read.</param>
public readonly record struct WalkProgress(long Paths, long Bytes);

/// <summary>Describes a subtree, one JSON line a path, sorted bytewise by path.</summary>
/// <remarks>
/// <para>The fields and their spelling are those of the manifests that are taken from mounted volumes (TESTING.md), so
/// that both can be compared as text: attributes, times in nanoseconds, xattrs, and hashes of contents.</para>
/// <para>Memory does not grow with the volume. Not thread safe; rules of the <see cref="VolumeReader"/>.</para>
/// </remarks>
public sealed class ManifestWriter
{
    /// <summary>Files of this size and more are hashed without their holes.</summary>
    private const ulong WholeHashBytes = 1UL << 28;

    /// <summary>Files of this size and more have no list of segments.</summary>
    private const ulong SegmentListBytes = 1UL << 40;

    /// <summary>Xattr values longer than this are hashed.</summary>
    private const int ShownValueBytes = 256;

    private const int FlushBytes = 65536;

    private static readonly byte[] Zeros = new byte[65536];

    private readonly VolumeReader _reader;
    private readonly Stream _output;
    private readonly JsonLine _line = new();
    private readonly FilePieceReader _pieces = new(1 << 20, 3);
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _digest = new byte[SHA256.HashSizeInBytes];
    private bool _hasFlushedPart;
    private long _paths;
    private long _bytes;

    /// <summary>Creates a writer.</summary>
    /// <param name="reader">Where to read.</param>
    /// <param name="output">Receives the lines.</param>
    public ManifestWriter(VolumeReader reader, Stream output)
    {
        _reader = reader;
        _output = output;
    }

    /// <summary>Writes the manifest of a subtree.</summary>
    /// <param name="start">Its top.</param>
    /// <param name="onProblem">Told about paths that are left out because they are damaged or unreadable.</param>
    /// <param name="progress">Told about every path, or null.</param>
    /// <param name="cancellationToken">Honoured between reads.</param>
    public async ValueTask WriteAsync(
        ResolvedPath start,
        Action<VolumeException> onProblem,
        IProgress<WalkProgress>? progress,
        CancellationToken cancellationToken)
    {
        var walk = new VolumeWalk(_reader, WalkOrder.Path);
        walk.Start(start);
        try
        {
            while (await walk.MoveNextAsync(cancellationToken))
            {
                if (walk.Visit == WalkVisit.Problem)
                    onProblem(walk.Failure!);
                else if (walk.Visit == WalkVisit.Entry)
                    await WriteEntryAsync(walk, onProblem, cancellationToken);
                progress?.Report(new WalkProgress(_paths, _bytes));
            }
        }
        finally
        {
            await _pieces.DrainAsync();
        }

        await FlushAsync(cancellationToken);
        await _output.FlushAsync(cancellationToken);
    }

    /// <summary>The type of an inode as manifests name it: reg dir lnk fifo sock chr blk, or none.</summary>
    public static string TypeName(in InodeItem inode) => (inode.Mode & FileMode.TypeMask) switch
    {
        FileMode.Regular => "reg",
        FileMode.Directory => "dir",
        FileMode.Symlink => "lnk",
        FileMode.Fifo => "fifo",
        FileMode.Socket => "sock",
        FileMode.CharDevice => "chr",
        FileMode.BlockDevice => "blk",
        _ => "none",
    };

    /// <summary>Nanoseconds since 1970.</summary>
    public static Int128 Nanoseconds(in Timespec time) => ((Int128)time.Sec.Value * 1_000_000_000) + time.Nsec.Value;

    private async ValueTask WriteEntryAsync(
        VolumeWalk walk, Action<VolumeException> onProblem, CancellationToken cancellationToken)
    {
        // A line is not begun with bytes in the buffer that a problem would take away with it.
        if (_line.WrittenBytes >= FlushBytes)
            await FlushAsync(cancellationToken);
        int lineStart = _line.WrittenBytes;
        _hasFlushedPart = false;
        try
        {
            await WriteLineAsync(walk, cancellationToken);
            _paths++;
        }
        catch (VolumeException failure) when (!_hasFlushedPart)
        {
            _line.CutTo(lineStart);
            _ = _hash.GetHashAndReset(_digest);
            onProblem(new VolumeException(
                failure.Error, $"{NameText.Printable(walk.Path.Span)}: {failure.Message}", failure.Fault));
        }
    }

    private async ValueTask WriteLineAsync(VolumeWalk walk, CancellationToken cancellationToken)
    {
        var inode = walk.Inode;
        string type = TypeName(inode);
        _line.BeginObject();
        _line.Member("path", walk.Path.Span);
        _line.Member("ino", walk.Ino);
        _line.Member("type", type);
        _line.Member("mode", "0o" + Convert.ToString((int)(inode.Mode & FileMode.PermissionMask), 8));
        _line.Member("uid", inode.Uid.Value);
        _line.Member("gid", inode.Gid.Value);
        _line.Member("size", inode.Size.Value);
        _line.Member("nlink", inode.Nlink.Value);
        _line.Member("blocks", unchecked((inode.OnlineBlocks + inode.OfflineBlocks) * 8));
        _line.Member("mtime", Nanoseconds(inode.Mtime).ToString(null, null));
        _line.Member("ctime", Nanoseconds(inode.Ctime).ToString(null, null));
        _line.Member("atime", Nanoseconds(inode.Atime).ToString(null, null));
        if (type is "chr" or "blk")
        {
            _line.Name("rdev");
            _line.BeginArray();
            _line.Number(inode.Rdev >> 20);
            _line.Number(inode.Rdev & 0xfffff);
            _line.EndArray();
        }

        if (type == "lnk")
            _line.Member("target", await _reader.ReadSymlinkAsync(walk.Ino, inode, cancellationToken));
        var xattrs = await _reader.ListXattrsAsync(walk.Ino, cancellationToken);
        xattrs.Sort(static (left, right) => left.Name.AsSpan().SequenceCompareTo(right.Name));
        bool isMore = type is "reg" or "dir";
        if (isMore)
            WriteMore(inode, xattrs);
        else
            _ = xattrs.RemoveAll(static entry => entry.IsHidden);
        if (type == "reg")
            await WriteContentsAsync(walk.Ino, inode, cancellationToken);
        if (xattrs.Count > 0)
            await WriteXattrsAsync(walk.Ino, xattrs, cancellationToken);
        _line.EndObject();
        _line.EndLine();
    }

    // What only the volume's own calls tell about files and directories.
    private void WriteMore(in InodeItem inode, List<XattrEntry> xattrs)
    {
        _line.Name("stat_more");
        _line.BeginObject();
        _line.Member("meta_seq", inode.MetaSeq.Value);
        _line.Member("data_seq", inode.DataSeq.Value);
        _line.Member("data_version", inode.DataVersion.Value);
        _line.Member("online_blocks", inode.OnlineBlocks.Value);
        _line.Member("offline_blocks", inode.OfflineBlocks.Value);
        _line.Member("crtime", FormattableString.Invariant($"{inode.Crtime.Sec.Value}.{inode.Crtime.Nsec.Value:d9}"));
        _line.EndObject();
        if (xattrs.Exists(static entry => entry.IsHidden))
        {
            _line.Name("hidden_xattrs");
            _line.BeginArray();
            foreach (var entry in xattrs)
            {
                if (entry.IsHidden)
                    _line.Text(entry.Name);
            }

            _line.EndArray();
        }

        _line.Member("project_id", inode.Proj.Value);
        _line.Member("retention", (inode.Flags & InodeItem.FlagRetention) != 0 ? 1 : 0);
    }

    private async ValueTask WriteContentsAsync(ulong ino, InodeItem inode, CancellationToken cancellationToken)
    {
        var contents = new FileContents(_reader, ino, inode);
        if (inode.OfflineBlocks == 0UL)
        {
            bool isWhole = contents.SizeBytes < WholeHashBytes;
            if (isWhole)
                await HashAsync(contents, 0, contents.SizeBytes, cancellationToken);
            else
                await HashSegmentsAsync(contents, cancellationToken);
            _ = _hash.GetHashAndReset(_digest);
            _line.Member(isWhole ? "sha256" : "sha256_segs", Convert.ToHexStringLower(_digest));
        }

        if (contents.SizeBytes >= SegmentListBytes)
            return;
        _line.Name("data_segs");
        _line.BeginArray();
        ulong at = 0;
        while (await contents.NextSegmentAsync(at, cancellationToken) is var (start, end))
        {
            _line.BeginArray();
            _line.Number(start);
            _line.Number(end);
            _line.EndArray();

            // A file in a million pieces makes a long line; it need not be held.
            if (_line.WrittenBytes >= 16 * FlushBytes)
                await FlushAsync(cancellationToken);
            if (end >= contents.SizeBytes)
                break;
            at = end;
        }

        _line.EndArray();
    }

    private async ValueTask HashSegmentsAsync(FileContents contents, CancellationToken cancellationToken)
    {
        ulong at = 0;
        while (await contents.NextSegmentAsync(at, cancellationToken) is var (start, end))
        {
            await HashAsync(contents, start, end, cancellationToken);
            if (end >= contents.SizeBytes)
                break;
            at = end;
        }
    }

    private async ValueTask HashAsync(
        FileContents contents, ulong startBytes, ulong endBytes, CancellationToken cancellationToken)
    {
        await _pieces.StartAsync(contents, startBytes, endBytes);
        ulong at = startBytes;
        while (await _pieces.MoveNextAsync(cancellationToken))
        {
            HashZeros(_pieces.Piece.OffsetBytes - at, cancellationToken);
            if (_pieces.Piece.IsOffline)
            {
                throw new VolumeException(
                    FsError.Corrupt, "Some contents are offline, though the inode counts no offline blocks.");
            }

            _hash.AppendData(_pieces.Bytes.Span);
            _bytes += _pieces.Bytes.Length;
            at = _pieces.Piece.EndBytes;
        }

        HashZeros(endBytes - at, cancellationToken);
    }

    private void HashZeros(ulong count, CancellationToken cancellationToken)
    {
        for (; count > 0; count -= Math.Min(count, (ulong)Zeros.Length))
        {
            cancellationToken.ThrowIfCancellationRequested();
            _hash.AppendData(Zeros.AsSpan(0, (int)Math.Min(count, (ulong)Zeros.Length)));
        }
    }

    private async ValueTask WriteXattrsAsync(
        ulong ino, List<XattrEntry> xattrs, CancellationToken cancellationToken)
    {
        _line.Name("xattrs");
        _line.BeginObject();
        foreach (var entry in xattrs)
        {
            if (await _reader.ReadXattrAsync(ino, entry, cancellationToken) is not { } value)
                continue;
            _line.Name(entry.Name);
            if (value.Length > ShownValueBytes)
            {
                _line.BeginObject();
                _line.Member("len", value.Length);
                _line.Member("sha256", Convert.ToHexStringLower(SHA256.HashData(value)));
                _line.EndObject();
            }
            else if (value.AsSpan().ContainsAnyExceptInRange((byte)' ', (byte)'~'))
            {
                _line.BeginObject();
                _line.Member("hex", Convert.ToHexStringLower(value));
                _line.EndObject();
            }
            else
            {
                _line.Text(value);
            }

            if (_line.WrittenBytes >= 16 * FlushBytes)
                await FlushAsync(cancellationToken);
        }

        _line.EndObject();
    }

    private async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await _output.WriteAsync(_line.Written, cancellationToken);
        _line.Clear();
        _hasFlushedPart = true;
    }
}

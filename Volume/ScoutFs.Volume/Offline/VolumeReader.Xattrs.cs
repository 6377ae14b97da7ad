using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <content>Extended attributes (format §10.5).</content>
public sealed partial class VolumeReader
{
    /// <summary>
    /// Attributes of one inode that are listed. Bounds the memory of a list to some 100 MiB on a hostile volume; Linux
    /// itself cannot list more than 64 KiB of names.
    /// </summary>
    private const int MaxXattrs = 1_000_000;

    /// <summary>Lists all attributes of an inode, hidden ones included, in storage order (name hash, id).</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <exception cref="VolumeException">They are damaged, cannot be read, or are more than a million.</exception>
    public async ValueTask<List<XattrEntry>> ListXattrsAsync(ulong ino, CancellationToken cancellationToken)
    {
        var entries = new List<XattrEntry>();
        for (int attempt = 0; ; attempt++)
        {
            entries.Clear();
            var parts = default(XattrParts);
            var status = await _cursor.SeekAsync(
                Keys.Xattr(ino, 0, 0, 0),
                Keys.Xattr(ino, uint.MaxValue, ulong.MaxValue, byte.MaxValue),
                cancellationToken);
            while (status == BtreeStatus.Found)
            {
                bool isFirst = parts.IsComplete;
                if (!parts.Take(_cursor.Key, _cursor.Value))
                    throw XattrFailure(ino, parts, _cursor.LeafBlkno, (ulong)_cursor.Value.Length);
                if (isFirst)
                {
                    if (entries.Count == MaxXattrs)
                    {
                        throw new VolumeException(
                            FsError.Unsupported,
                            $"Inode {ino} has more than {MaxXattrs} extended attributes; they are not listed.");
                    }

                    entries.Add(ReadXattrEntry(parts));
                }

                status = await _cursor.MoveNextAsync(cancellationToken);
            }

            if (status == BtreeStatus.End)
            {
                if (!parts.IsComplete)
                    throw XattrFailure(ino, parts, 0, 0);
                return entries;
            }

            await RecoverAsync(attempt, "list the extended attributes of", "inode", ino, cancellationToken);
        }
    }

    /// <summary>Finds an attribute by its full name.</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="name">Name with prefix.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <returns>Its value, or null if there is none of that name.</returns>
    /// <exception cref="VolumeException">It is damaged or cannot be read.</exception>
    public async ValueTask<byte[]?> FindXattrAsync(
        ulong ino, ReadOnlyMemory<byte> name, CancellationToken cancellationToken)
    {
        if (name.Length is 0 or > FormatConstants.MaxNameBytes)
            return null;
        uint hash = XattrName.Hash(name.Span);
        return await ReadXattrAsync(
            ino, Keys.Xattr(ino, hash, 0, 0), Keys.Xattr(ino, hash, ulong.MaxValue, 255), name, cancellationToken);
    }

    /// <summary>Reads the value of a listed attribute.</summary>
    /// <param name="ino">Inode number.</param>
    /// <param name="entry">The attribute.</param>
    /// <param name="cancellationToken">Honoured between blocks.</param>
    /// <returns>Its value, or null if it has gone (see <see cref="Generation"/>).</returns>
    /// <exception cref="VolumeException">It is damaged or cannot be read.</exception>
    public ValueTask<byte[]?> ReadXattrAsync(ulong ino, XattrEntry entry, CancellationToken cancellationToken) =>
        ReadXattrAsync(
            ino,
            Keys.Xattr(ino, entry.NameHash, entry.Id, 0),
            Keys.Xattr(ino, entry.NameHash, entry.Id, byte.MaxValue),
            entry.Name,
            cancellationToken);

    // Assembles the attribute of that name in a range of keys, which may hold others with the same hash.
    private async ValueTask<byte[]?> ReadXattrAsync(
        ulong ino, ItemKey start, ItemKey end, ReadOnlyMemory<byte> name, CancellationToken cancellationToken)
    {
        for (int attempt = 0; ; attempt++)
        {
            var parts = default(XattrParts);
            byte[]? value = null;
            int filled = 0;
            var status = await _cursor.SeekAsync(start, end, cancellationToken);
            while (status == BtreeStatus.Found)
            {
                bool isFirst = parts.IsComplete;
                if (isFirst && value is not null)
                    return value;
                if (!parts.Take(_cursor.Key, _cursor.Value))
                    throw XattrFailure(ino, parts, _cursor.LeafBlkno, (ulong)_cursor.Value.Length);
                var bytes = _cursor.Value;
                if (isFirst)
                {
                    bytes = bytes[Disk.SizeOf<XattrHeader>()..];
                    if (bytes[..parts.NameBytes].SequenceEqual(name.Span))
                        value = new byte[parts.ValueBytes];
                    bytes = bytes[parts.NameBytes..];
                }

                if (value is not null)
                {
                    bytes.CopyTo(value.AsSpan(filled));
                    filled += bytes.Length;
                }

                status = await _cursor.MoveNextAsync(cancellationToken);
            }

            if (status == BtreeStatus.End)
            {
                if (!parts.IsComplete)
                    throw XattrFailure(ino, parts, 0, 0);
                return value;
            }

            await RecoverAsync(attempt, "read an extended attribute of", "inode", ino, cancellationToken);
        }
    }

    private XattrEntry ReadXattrEntry(in XattrParts parts)
    {
        byte[] name = _cursor.Value.Slice(Disk.SizeOf<XattrHeader>(), parts.NameBytes).ToArray();
        return new XattrEntry(
            name, (uint)_cursor.Key.Second.Value, _cursor.Key.Third, parts.ValueBytes, XattrName.TagsOf(name));
    }

    private VolumeException XattrFailure(ulong ino, in XattrParts parts, ulong blkno, ulong actualBytes) => Damage(
        new Corruption(CorruptionSite.XattrShape, blkno, (ulong)parts.ExpectedBytes, actualBytes),
        $"read an extended attribute of inode {ino}");

    /// <summary>Follows the parts of attributes one item at a time and checks that they belong together.</summary>
    private struct XattrParts
    {
        private ulong _hash;
        private ulong _id;
        private int _nextPart;
        private int _missingBytes;

        /// <summary>Length of the current attribute's name.</summary>
        public int NameBytes { get; private set; }

        /// <summary>Length of the current attribute's value.</summary>
        public int ValueBytes { get; private set; }

        /// <summary>Length that the next part must have; for a first part the least it can have.</summary>
        public readonly int ExpectedBytes => IsComplete
            ? Disk.SizeOf<XattrHeader>() + 1
            : Math.Min(_missingBytes, FormatConstants.MaxValueBytes);

        /// <summary>The next part starts another attribute.</summary>
        public readonly bool IsComplete => _missingBytes == 0;

        /// <summary>Takes the next part; false when it is not the one that has to come.</summary>
        public bool Take(in ItemKey key, ReadOnlySpan<byte> value)
        {
            if (!IsComplete)
            {
                if (key.Second != _hash || key.Third != _id || key.Fourth != _nextPart || value.Length != ExpectedBytes)
                    return false;
                _missingBytes -= value.Length;
                _nextPart++;
                return true;
            }

            if (key.Fourth != 0 || key.Second > uint.MaxValue || value.Length < ExpectedBytes)
                return false;
            ref readonly var header = ref Disk.Ref<XattrHeader>(value);
            if (header.NameLen == 0)
                return false;
            NameBytes = header.NameLen;
            ValueBytes = header.ValLen;
            int totalBytes = Disk.SizeOf<XattrHeader>() + NameBytes + ValueBytes;
            if (value.Length != Math.Min(totalBytes, FormatConstants.MaxValueBytes))
                return false;
            _hash = key.Second;
            _id = key.Third;
            _nextPart = 1;
            _missingBytes = totalBytes - value.Length;
            return true;
        }
    }
}

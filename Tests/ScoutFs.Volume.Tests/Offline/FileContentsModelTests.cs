using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

/// <summary>Files of random extents, read in several ways, against arrays of bytes.</summary>
public sealed class FileContentsModelTests
{
    private const int BlockBytes = 4096;
    private const ulong Ino = 5;
    private static readonly CancellationToken None = CancellationToken.None;

    [Test]
    public async Task Read_RandomExtents_EqualsTheModel([Range(1, 40)] int seed)
    {
        var prng = new Prng((ulong)seed);
        var model = await Model.MakeAsync(prng);
        using var volume = await model.Items.OpenAsync();
        using var reader = new VolumeReader(volume);
        var contents = new FileContents(reader, Ino, await reader.GetInodeAsync(Ino, None));
        var buffer = AlignedBuffer.Create(16 * BlockBytes);
        for (int i = 0; i < 60; i++)
        {
            int block = prng.NextInt32(model.Blocks + 2);
            int length = (1 + prng.NextInt32(16)) * BlockBytes;
            int offset = block * BlockBytes;
            bool isOffline = model.IsOfflineWithin(offset, length);
            if (isOffline)
            {
                var failure = await Assert.ThrowsAsync<VolumeException>(
                    () => contents.ReadAsync((ulong)offset, buffer[..length], None).AsTask());
                Assert.That(failure!.Error, Is.EqualTo(FsError.Offline));
                continue;
            }

            buffer.Span.Fill(0xee);
            int count = await contents.ReadAsync((ulong)offset, buffer[..length], None);
            byte[] expected = model.Slice(offset, length);
            Assert.That(count, Is.EqualTo(expected.Length), $"seed {seed}");
            bool isEqual = buffer.Span[..count].SequenceEqual(expected);
            Assert.That(isEqual, Is.True, $"seed {seed} offset {offset}");
        }
    }

    [Test]
    public async Task PieceReader_RandomExtents_PiecesAndHolesMakeTheFile([Range(1, 40)] int seed)
    {
        var prng = new Prng((ulong)seed);
        var model = await Model.MakeAsync(prng);
        using var volume = await model.Items.OpenAsync();
        using var reader = new VolumeReader(volume);
        var contents = new FileContents(reader, Ino, await reader.GetInodeAsync(Ino, None));
        var pieces = new FilePieceReader((1 + prng.NextInt32(8)) * BlockBytes, 1 + prng.NextInt32(3));
        byte[] joined = new byte[model.Size];
        var offline = new List<(ulong, ulong)>();
        await pieces.StartAsync(contents, 0, contents.SizeBytes);
        ulong at = 0;
        while (await pieces.MoveNextAsync(None))
        {
            Assert.That(pieces.Piece.OffsetBytes, Is.GreaterThanOrEqualTo(at));
            Assert.That(pieces.Piece.LengthBytes, Is.GreaterThan(0));
            at = pieces.Piece.EndBytes;
            if (pieces.Piece.IsOffline)
                offline.Add((pieces.Piece.OffsetBytes, pieces.Piece.EndBytes));
            pieces.Bytes.CopyTo(joined.AsMemory((int)pieces.Piece.OffsetBytes));
        }

        await pieces.DrainAsync();
        Assert.That(joined.AsSpan().SequenceEqual(model.Slice(0, model.Size)), Is.True, $"seed {seed}");
        Assert.That(Join(offline), Is.EqualTo(model.Ranges((_, isOffline) => isOffline)), $"seed {seed}");
    }

    [Test]
    public async Task NextSegment_RandomExtents_JoinsNeighbours([Range(1, 40)] int seed)
    {
        var prng = new Prng((ulong)seed);
        var model = await Model.MakeAsync(prng);
        using var volume = await model.Items.OpenAsync();
        using var reader = new VolumeReader(volume);
        var contents = new FileContents(reader, Ino, await reader.GetInodeAsync(Ino, None));
        var segments = new List<(ulong, ulong)>();
        ulong at = 0;
        while (at < contents.SizeBytes && await contents.NextSegmentAsync(at, None) is var (start, end))
        {
            segments.Add((start, end));
            at = end;
        }

        Assert.That(segments, Is.EqualTo(model.Ranges((isAny, _) => isAny)), $"seed {seed}");
    }

    [Test]
    public async Task Locate_HugeSparseFile_FindsTheOnlyBlockAtOnce()
    {
        const ulong Far = FileExtent.MaxBlock;
        var items = new ItemVolume().AddFile(Ino, ulong.MaxValue).AddExtent(Ino, Far, 1, 100);
        using var volume = await items.OpenAsync();
        using var reader = new VolumeReader(volume);
        var contents = new FileContents(reader, Ino, await reader.GetInodeAsync(Ino, None));
        var pieces = new FilePieceReader(BlockBytes, 2);
        await pieces.StartAsync(contents, 0, contents.SizeBytes);
        bool isFirst = await pieces.MoveNextAsync(None);
        var (start, end) = (pieces.Piece.OffsetBytes, pieces.Piece.EndBytes);
        bool isSecond = await pieces.MoveNextAsync(None);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(isFirst, Is.True);
            Assert.That(isSecond, Is.False);
            Assert.That(start, Is.EqualTo(Far * BlockBytes));
            Assert.That(end, Is.EqualTo(ulong.MaxValue));
        }
    }

    private static List<(ulong Start, ulong End)> Join(List<(ulong Start, ulong End)> ranges)
    {
        var joined = new List<(ulong Start, ulong End)>();
        foreach (var range in ranges)
        {
            if (joined.Count > 0 && joined[^1].End == range.Start)
                joined[^1] = (joined[^1].Start, range.End);
            else
                joined.Add(range);
        }

        return joined;
    }

    private sealed class Model
    {
        private readonly byte[] _bytes;
        private readonly bool[] _isAny;
        private readonly bool[] _isOffline;

        private Model(int blocks, int size)
        {
            Blocks = blocks;
            Size = size;
            _bytes = new byte[blocks * BlockBytes];
            _isAny = new bool[blocks];
            _isOffline = new bool[blocks];
            Items.AddFile(Ino, (ulong)size);
        }

        public ItemVolume Items { get; } = new();

        public int Blocks { get; }

        public int Size { get; }

        public static async Task<Model> MakeAsync(Prng prng)
        {
            int blocks = 1 + prng.NextInt32(200);
            var model = new Model(blocks, (blocks * BlockBytes) - prng.NextInt32(BlockBytes));
            ulong physical = 64;
            for (int block = 0; block < blocks + 8;)
            {
                int count = 1 + prng.NextInt32(12);
                int kind = prng.NextInt32(8);
                if (kind >= 3)
                    await model.AddAsync(prng, block, count, kind, physical);
                physical += (ulong)count + (ulong)prng.NextInt32(2);
                block += count;
            }

            return model;
        }

        public bool IsOfflineWithin(int offset, int length)
        {
            for (int block = offset / BlockBytes; block < Blocks && block * BlockBytes < offset + length; block++)
            {
                if (_isOffline[block])
                    return true;
            }

            return false;
        }

        public byte[] Slice(int offset, int length) =>
            offset >= Size ? [] : _bytes[offset..Math.Min(Size, offset + length)];

        public List<(ulong Start, ulong End)> Ranges(Func<bool, bool, bool> isWanted)
        {
            var ranges = new List<(ulong Start, ulong End)>();
            for (int block = 0; block < Blocks; block++)
            {
                if (!isWanted(_isAny[block], _isOffline[block]))
                    continue;
                ulong end = Math.Min((ulong)Size, (ulong)(block + 1) * BlockBytes);
                ranges.Add(((ulong)block * BlockBytes, end));
            }

            return Join(ranges);
        }

        private async Task AddAsync(Prng prng, int block, int count, int kind, ulong physical)
        {
            byte flags = kind switch
            {
                3 => DataExtentItem.FlagUnwritten,
                4 when prng.NextInt32(3) == 0 => DataExtentItem.FlagOffline,
                _ => 0,
            };
            bool isOffline = flags == DataExtentItem.FlagOffline;
            Items.AddExtent(Ino, (ulong)block, (ulong)count, isOffline ? 0 : physical, flags);
            byte[] bytes = new byte[count * BlockBytes];
            prng.Fill(bytes);
            if (!isOffline)
                _ = await Items.Data.WriteAsync((long)physical * BlockBytes, bytes, None);
            for (int i = 0; i < count && block + i < Blocks; i++)
            {
                _isAny[block + i] = true;
                _isOffline[block + i] = isOffline;
                if (flags == 0)
                    bytes.AsSpan(i * BlockBytes, BlockBytes).CopyTo(_bytes.AsSpan((block + i) * BlockBytes));
            }
        }
    }
}

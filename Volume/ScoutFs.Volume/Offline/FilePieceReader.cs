using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Reads files piece by piece, with the next pieces already under way while one is worked on.</summary>
/// <remarks>Owns its buffers and is used for one file after the other. One caller at a time.</remarks>
public sealed class FilePieceReader
{
    private readonly int _pieceBytes;
    private readonly Slot[] _slots;
    private readonly Queue<Slot> _free = new();
    private readonly Queue<Slot> _reading = new();
    private Slot? _current;
    private FileContents? _contents;
    private ulong _nextBytes;
    private ulong _endBytes;

    /// <summary>Creates a reader and its buffers.</summary>
    /// <param name="pieceBytes">Longest piece, a multiple of 4096.</param>
    /// <param name="countPieces">Buffers, at least 1: one is worked on, the others are read ahead.</param>
    public FilePieceReader(int pieceBytes, int countPieces)
    {
        Invariant.Require(countPieces >= 1);
        _pieceBytes = pieceBytes;
        _slots = new Slot[countPieces];
        for (int i = 0; i < countPieces; i++)
            _free.Enqueue(_slots[i] = new Slot(AlignedBuffer.Create(pieceBytes)));
    }

    /// <summary>The piece last returned: where it is; valid until the next call.</summary>
    public FilePiece Piece => _current!.Piece;

    /// <summary>Its bytes, none when it is offline; valid until the next call.</summary>
    public ReadOnlyMemory<byte> Bytes => Piece.IsOffline ? default : _current!.Buffer[..(int)Piece.LengthBytes];

    /// <summary>Turns to a range of a file, after reads of the last one have ended.</summary>
    /// <param name="contents">The file.</param>
    /// <param name="startBytes">A multiple of 4096.</param>
    /// <param name="endBytes">A multiple of 4096, or the end of the file.</param>
    public async ValueTask StartAsync(FileContents contents, ulong startBytes, ulong endBytes)
    {
        await DrainAsync();
        _contents = contents;
        _nextBytes = startBytes;
        _endBytes = endBytes;
    }

    /// <summary>Moves to the next stored or offline piece; what lies between pieces is zeros.</summary>
    /// <returns>False when there are no more.</returns>
    /// <exception cref="VolumeException">The file is damaged or cannot be read.</exception>
    public async ValueTask<bool> MoveNextAsync(CancellationToken cancellationToken)
    {
        if (_current is not null)
            _free.Enqueue(_current);
        _current = null;
        while (_nextBytes < _endBytes && _free.TryPeek(out var slot))
        {
            int wanted = WholeBlocks(_endBytes - _nextBytes);
            bool isFound = await _contents!.LocateAsync(slot.Piece, _nextBytes, wanted, cancellationToken);
            if (!isFound || slot.Piece.OffsetBytes >= _endBytes)
            {
                _nextBytes = _endBytes;
                break;
            }

            if (slot.Piece.EndBytes > _endBytes && !slot.Piece.IsOffline)
            {
                // It starts behind a hole, so that less is wanted than was asked for.
                wanted = WholeBlocks(_endBytes - slot.Piece.OffsetBytes);
                _ = await _contents.LocateAsync(slot.Piece, slot.Piece.OffsetBytes, wanted, cancellationToken);
            }

            _nextBytes = slot.Piece.EndBytes;
            _ = _free.Dequeue();
            slot.Read = slot.Piece.IsOffline
                ? Task.CompletedTask
                : _contents.ReadPieceAsync(slot.Piece, slot.Buffer, cancellationToken).AsTask();
            _reading.Enqueue(slot);
        }

        if (!_reading.TryDequeue(out _current))
            return false;
        await _current.Read;
        return true;
    }

    /// <summary>Waits for reads under way and forgets them, however they end.</summary>
    public async ValueTask DrainAsync()
    {
        if (_current is not null)
            _free.Enqueue(_current);
        _current = null;
        while (_reading.TryDequeue(out var slot))
        {
            await Task.WhenAny(slot.Read);
            _ = slot.Read.Exception;
            _free.Enqueue(slot);
        }
    }

    private int WholeBlocks(ulong countBytes)
    {
        const ulong BlockBytes = FormatConstants.SmallBlockBytes;
        return countBytes >= (ulong)_pieceBytes
            ? _pieceBytes
            : (int)((countBytes + BlockBytes - 1) / BlockBytes * BlockBytes);
    }

    /// <summary>A buffer and what is being read into it.</summary>
    private sealed class Slot(Memory<byte> buffer)
    {
        public FilePiece Piece { get; } = new();

        public Memory<byte> Buffer { get; } = buffer;

        public Task Read { get; set; } = Task.CompletedTask;
    }
}

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Fuzz;

/// <summary>A small mutator, for runs without a fuzzing engine: it knows nothing of formats or coverage.</summary>
internal sealed class FuzzMutator
{
    private static readonly ulong[] Interesting =
    [
        0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0xffff_ffff, long.MaxValue, 1UL << 63,
        ulong.MaxValue,
    ];

    private readonly Prng _random;

    /// <summary>Creates a mutator; the same generator gives the same inputs.</summary>
    public FuzzMutator(Prng random) => _random = random;

    /// <summary>Makes an input out of one of the seeds.</summary>
    public byte[] Next(IReadOnlyList<byte[]> seeds)
    {
        byte[] input = (byte[])seeds[_random.NextInt32(seeds.Count)].Clone();
        int steps = 1 << _random.NextInt32(5);
        for (int i = 0; i < steps; i++)
            input = Step(input, seeds);
        return input;
    }

    private byte[] Step(byte[] input, IReadOnlyList<byte[]> seeds)
    {
        switch (_random.NextInt32(input.Length == 0 ? 1 : 9))
        {
            case 0:
                // Longer, at any place.
                int at = _random.NextInt32(input.Length + 1);
                byte[] added = new byte[1 + _random.NextInt32(16)];
                _random.Fill(added);
                return [.. input[..at], .. added, .. input[at..]];
            case 1:
                return input[.._random.NextInt32(input.Length + 1)];
            case 2:
                // A piece of another seed.
                byte[] other = seeds[_random.NextInt32(seeds.Count)];
                int length = Math.Min(other.Length, input.Length);
                int start = _random.NextInt32(length + 1);
                other.AsSpan(start, _random.NextInt32(length - start + 1)).CopyTo(input.AsSpan(start));
                return input;
            case 3:
                input[Place(input.Length)] = (byte)_random.NextUInt64();
                return input;
            case 4:
                input[Place(input.Length)] ^= (byte)(1 << _random.NextInt32(8));
                return input;
            case 5:
                input[Place(input.Length)] += (byte)(_random.NextInt32(17) - 8);
                return input;
            default:
                int size = Math.Min(1 << _random.NextInt32(4), input.Length);
                Span<byte> number = stackalloc byte[8];
                BinaryPrimitives.WriteUInt64LittleEndian(number, Interesting[_random.NextInt32(Interesting.Length)]);
                number[..size].CopyTo(input.AsSpan(Place(input.Length - size + 1) / size * size));
                return input;
        }
    }

    // Structures begin with what matters.
    private int Place(int length) => _random.NextInt32(2) == 0
        ? _random.NextInt32(Math.Min(length, 512))
        : _random.NextInt32(length);
}

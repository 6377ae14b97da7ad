using System;
using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>Different names of one 64-bit hash, which a directory must tell apart.</summary>
public static class NameCollisions
{
    private const int NameBytes = 8;
    private const int Tries = 400_000;

    private static readonly Lazy<IReadOnlyList<(string First, string Second)>> Found = new(Search);

    /// <summary>Pairs of names with equal hashes.</summary>
    public static IReadOnlyList<(string First, string Second)> Pairs => Found.Value;

    // The upper half of the hash samples every other bit of a name of 8 bytes. With those fixed, 32 random bits remain,
    // of which so many tries give some ten pairs with an equal lower half.
    private static List<(string First, string Second)> Search()
    {
        var prng = new Prng(64).Fork("collisions");
        var pairs = new List<(string First, string Second)>();
        var names = new Dictionary<ulong, string>(Tries);
        byte[] name = new byte[NameBytes];
        for (int i = 0; i < Tries; i++)
        {
            prng.Fill(name);
            for (int at = 0; at < NameBytes; at++)
                name[at] = (byte)((name[at] & 0x55) | 0x82);
            string text = ModelText.FromBytes(name);
            ulong hash = NameHash.Compute(name);
            if (!names.TryAdd(hash, text) && names[hash] != text)
                pairs.Add((names[hash], text));
        }

        return pairs;
    }
}

using System.Collections.Generic;
using System.Linq;
using System.Numerics;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>Errors that an operation may end with; empty means that it has to succeed.</summary>
/// <remarks>Where several reasons to fail apply, POSIX leaves open which is named: any is right.</remarks>
/// <param name="Bits">One for each value of <see cref="FsError"/>, which are fewer than 64.</param>
public readonly record struct FaultSet(ulong Bits)
{
    /// <summary>It has to succeed.</summary>
    public bool IsEmpty => Bits == 0;

    /// <summary>The errors.</summary>
    public IEnumerable<FsError> Errors
    {
        get
        {
            for (ulong rest = Bits; rest != 0; rest &= rest - 1)
                yield return (FsError)BitOperations.TrailingZeroCount(rest);
        }
    }

    /// <summary>A set of any errors.</summary>
    public static FaultSet Of(params FsError[] errors) =>
        errors.Aggregate(default(FaultSet), static (set, error) => set | error);

    /// <summary>Adds an error.</summary>
    public static FaultSet operator |(FaultSet set, FsError error) => new(set.Bits | (1UL << (int)error));

    /// <summary>Joins two sets.</summary>
    public static FaultSet operator |(FaultSet left, FaultSet right) => new(left.Bits | right.Bits);

    /// <summary>Whether an outcome is allowed.</summary>
    public bool Allows(FsError outcome) =>
        outcome == FsError.None ? IsEmpty : (Bits & (1UL << (int)outcome)) != 0;

    /// <inheritdoc/>
    public override string ToString() => IsEmpty ? "success" : string.Join(" or ", Errors);
}

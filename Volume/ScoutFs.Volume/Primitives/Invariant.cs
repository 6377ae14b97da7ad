using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace ScoutFs.Volume.Primitives;

/// <summary>A programming error in this product was detected. Never caught below the composition root.</summary>
public sealed class InvariantException : Exception
{
    /// <summary>Creates the exception with the text of the broken condition.</summary>
    public InvariantException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with the text of the broken condition and its cause.</summary>
    public InvariantException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Creates the exception without a text.</summary>
    public InvariantException()
    {
    }
}

/// <summary>Assertions that stay on in release builds; each must be O(1).</summary>
public static class Invariant
{
    /// <summary>Stops the operation when <paramref name="condition"/> is false: a bug, not an input error.</summary>
    /// <exception cref="InvariantException">The condition is false.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Require(
        [DoesNotReturnIf(false)] bool condition,
        [CallerArgumentExpression(nameof(condition))] string text = "")
    {
        if (!condition)
            Fail(text);
    }

    [DoesNotReturn]
    private static void Fail(string text) => throw new InvariantException("Invariant broken: " + text);
}

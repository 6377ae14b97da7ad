using System;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace ScoutFs.Cli;

/// <summary>Numbers and sizes on command lines (archive §12.1).</summary>
internal static class CliNumbers
{
    private const string Suffixes = "KMGTP";

    /// <summary>Reads a number: decimal, 0x hexadecimal, 0 octal; negative ones wrap, -1 is the greatest.</summary>
    /// <param name="text">What was typed.</param>
    /// <param name="value">The number.</param>
    /// <returns>Null, or what is wrong with it.</returns>
    public static string? TryParse(string text, out ulong value)
    {
        bool isNegative = text.StartsWith('-');
        var digits = text.AsSpan(isNegative ? 1 : 0);
        bool isGood = digits.Length > 0 && char.IsAsciiHexDigit(digits[0]) && TryParseDigits(digits, out value);
        value = 0;
        if (isGood)
            _ = TryParseDigits(digits, out value);

        // Two's complement holds 2^63 as the least number.
        if (!isGood || (isNegative && value > 1UL << 63))
            return $"invalid 64bit value: '{text}'";
        if (isNegative)
            value = unchecked(0 - value);
        return null;
    }

    /// <summary>Reads a size: a number with at most one suffix K, M, G, T or P (powers of 1024).</summary>
    /// <param name="text">What was typed.</param>
    /// <param name="value">Bytes, or whatever is counted.</param>
    /// <returns>Null, or what is wrong with it.</returns>
    public static string? TryParseSize(string text, out ulong value)
    {
        value = 0;
        if (text.Length == 0 || char.IsAsciiDigit(text[^1]) || IsHexadecimal(text))
            return TryParse(text, out value);
        int power = Suffixes.IndexOf(char.ToUpperInvariant(text[^1]), StringComparison.Ordinal) + 1;
        if (power == 0)
            return $"unknown suffix: '{text[^1]}'";
        string? fault = TryParse(text[..^1], out ulong number);
        if (fault is not null)
            return fault;
        if (number > ulong.MaxValue >> (10 * power))
            return $"invalid 64bit value: '{text}'";
        value = number << (10 * power);
        return null;
    }

    /// <summary>An option that takes a number.</summary>
    /// <param name="helpName">Name of the value in help.</param>
    /// <param name="name">Long name with dashes.</param>
    /// <param name="aliases">Short names.</param>
    public static Option<ulong?> NumberOption(string helpName, string name, params string[] aliases) =>
        new(name, aliases) { HelpName = helpName, CustomParser = result => Parse(result, isSize: false) };

    /// <summary>An option that takes a size.</summary>
    /// <param name="helpName">Name of the value in help.</param>
    /// <param name="name">Long name with dashes.</param>
    /// <param name="aliases">Short names.</param>
    public static Option<ulong?> SizeOption(string helpName, string name, params string[] aliases) =>
        new(name, aliases) { HelpName = helpName, CustomParser = result => Parse(result, isSize: true) };

    private static ulong? Parse(ArgumentResult result, bool isSize)
    {
        string text = result.Tokens[0].Value;
        string? fault = isSize ? TryParseSize(text, out ulong value) : TryParse(text, out value);
        if (fault is null)
            return value;
        result.AddError(fault);
        return null;
    }

    private static bool IsHexadecimal(string text) =>
        text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) && char.IsAsciiHexDigit(text[^1]);

    private static bool TryParseDigits(ReadOnlySpan<char> digits, out ulong value)
    {
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            return ulong.TryParse(digits[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
        if (digits[0] != '0')
            return ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        value = 0;
        foreach (char digit in digits)
        {
            if (digit is < '0' or > '7' || value > ulong.MaxValue >> 3)
                return false;
            value = (value << 3) | (uint)(digit - '0');
        }

        return true;
    }
}

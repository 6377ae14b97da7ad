using System;
using System.Text;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cli;

/// <summary>Names of a volume as Windows can have them, and back: the map is one to one.</summary>
/// <remarks>
/// Characters that Windows does not allow become U+F000 + code, as Cygwin, WSL and the mounted volume show them; a
/// final dot or space likewise. Characters of that range that the volume itself holds become escapes of their bytes, so
/// that two names never become one.
/// </remarks>
internal static class ExportNames
{
    private const char MapOffset = '\uf000';
    private const string Forbidden = "\"*:<>?|\\";

    /// <summary>A name as Windows has it.</summary>
    public static string ToWindows(ReadOnlySpan<byte> name)
    {
        string decoded = NameText.Decode(name);
        var text = new StringBuilder(decoded.Length);
        for (int i = 0; i < decoded.Length; i++)
        {
            char unit = decoded[i];
            bool isLast = i == decoded.Length - 1;
            bool isMapped = unit < ' ' || Forbidden.Contains(unit, StringComparison.Ordinal)
                || (isLast && unit is ('.' or ' '));
            if (isMapped)
                _ = text.Append((char)(MapOffset + unit));
            else if (IsImage(unit))
                AppendEscapes(text, unit);
            else
                _ = text.Append(unit);
        }

        return text.ToString();
    }

    /// <summary>The inverse of <see cref="ToWindows"/>.</summary>
    /// <returns>False for text that no name can have.</returns>
    public static bool TryFromWindows(string text, out byte[] name)
    {
        var decoded = new StringBuilder(text.Length);
        foreach (char unit in text)
            _ = decoded.Append(IsImage(unit) ? (char)(unit - MapOffset) : unit);
        return NameText.TryEncode(decoded.ToString(), out name);
    }

    /// <summary>The target of a link as Windows has it; null when it leads to a place that Windows has no name for.
    /// </summary>
    public static string? TargetToWindows(ReadOnlySpan<byte> target)
    {
        if (target.Length == 0 || target[0] == '/')
            return null;
        var text = new StringBuilder();
        foreach (var range in target.Split((byte)'/'))
        {
            var part = target[range];
            if (text.Length > 0)
                _ = text.Append('\\');
            bool isDots = part.SequenceEqual("."u8) || part.SequenceEqual(".."u8);
            _ = text.Append(isDots ? Encoding.ASCII.GetString(part) : ToWindows(part));
        }

        return text.ToString();
    }

    // Whether the map could have made a character.
    private static bool IsImage(char unit)
    {
        int code = unit - MapOffset;
        return code is >= 0 and < 0x80
            && (code < ' ' || code is '.' or ' ' || Forbidden.Contains((char)code, StringComparison.Ordinal));
    }

    private static void AppendEscapes(StringBuilder text, char unit)
    {
        Span<byte> bytes = stackalloc byte[4];
        int count = new Rune(unit).EncodeToUtf8(bytes);
        foreach (byte value in bytes[..count])
            _ = text.Append((char)(0xdc00 + value));
    }
}

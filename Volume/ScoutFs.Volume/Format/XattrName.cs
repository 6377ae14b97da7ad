using System;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Format;

/// <summary>Tags in the names of scoutfs xattrs (format §10.5).</summary>
[Flags]
public enum XattrTags : byte
{
    /// <summary>An ordinary xattr.</summary>
    None = 0,

    /// <summary>"hide.": not listed.</summary>
    Hide = 1,

    /// <summary>"indx.": has an item in the index of xattrs (format §10.10).</summary>
    Indx = 2,

    /// <summary>"srch.": has an entry in the srch files (format §12).</summary>
    Srch = 4,

    /// <summary>"totl.": its value is part of a total (format §10.9).</summary>
    Totl = 8,
}

/// <summary>What the name of an xattr means: its hash, its tags, and the numbers that tagged names end in.</summary>
/// <remarks>
/// The reading sense: it says what a name that is stored means to the format, also when no writer would accept it (a
/// tag given twice, totl together with indx). Names are the bytes stored, with prefix, without NUL. Contract: pure, any
/// thread, no allocation.
/// </remarks>
public static class XattrName
{
    /// <summary>Shortest name that is looked at for tags: prefix, one tag, one byte (format §10.5).</summary>
    public const int MinTaggedBytes = 14;

    /// <summary>
    /// Most characters of a number in a name, or of the value of an xattr tagged totl (format §10.9).
    /// </summary>
    public const int MaxNumberBytes = 23;

    private const int TagBytes = 5;

    private static ReadOnlySpan<byte> Prefix => "scoutfs."u8;

    /// <summary>The second part of the xattr's key, zero-extended there (format §11.3).</summary>
    public static uint Hash(ReadOnlySpan<byte> name) => Crc32C.Compute(name);

    /// <summary>Hash of the entries of an xattr tagged srch (format §11.3).</summary>
    public static ulong SrchHash(ReadOnlySpan<byte> name) => Fnv1a.Hash64(name);

    /// <summary>The tags that follow the prefix; the first part that is no tag ends them.</summary>
    /// <param name="name">0..255 bytes.</param>
    public static XattrTags TagsOf(ReadOnlySpan<byte> name)
    {
        var tags = XattrTags.None;
        if (name.Length < MinTaggedBytes || !name.StartsWith(Prefix))
            return tags;
        for (var rest = name[Prefix.Length..]; rest.Length >= TagBytes; rest = rest[TagBytes..])
        {
            var tag = TagOf(rest[..TagBytes]);
            if (tag == XattrTags.None)
                break;
            tags |= tag;
        }

        return tags;
    }

    /// <summary>The total that an xattr tagged totl belongs to: the last three fields of its name.</summary>
    /// <returns>False when the name does not end in three numbers, which no writer lets happen.</returns>
    public static bool TryParseTotal(ReadOnlySpan<byte> name, out ulong a, out ulong b, out ulong c)
    {
        a = b = 0;
        return TryTakeLast(ref name, out c) && TryTakeLast(ref name, out b) && TryTakeLast(ref name, out a);
    }

    /// <summary>Place in the index of an xattr tagged indx: the last two fields of its name.</summary>
    /// <returns>False when the name does not end in such numbers, which no writer lets happen.</returns>
    public static bool TryParseIndex(ReadOnlySpan<byte> name, out byte major, out ulong minor)
    {
        major = 0;
        if (!TryTakeLast(ref name, out minor) || !TryTakeLast(ref name, out ulong number) || number > byte.MaxValue)
            return false;
        major = (byte)number;
        return true;
    }

    /// <summary>
    /// A number as names and totl values hold it: C prefixes 0x and 0, no sign, no blanks, no newline.
    /// </summary>
    /// <param name="text">1..23 bytes, else it is no number.</param>
    /// <param name="value">The number, 0 when there is none.</param>
    public static bool TryParseNumber(ReadOnlySpan<byte> text, out ulong value)
    {
        value = 0;
        if (text.Length is 0 or > MaxNumberBytes)
            return false;
        uint radix = 10;
        if (text[0] == '0' && text.Length > 1)
        {
            bool isHex = (text[1] | 0x20) == 'x';
            radix = isHex ? 16u : 8u;
            text = text[(isHex ? 2 : 1)..];
        }

        ulong sum = 0;
        foreach (byte character in text)
        {
            uint digit = DigitOf(character);
            if (digit >= radix)
                return false;
            ulong high = Math.BigMul(sum, radix, out sum);
            sum += digit;
            if (high != 0 || sum < digit)
                return false;
        }

        value = sum;
        return text.Length > 0;
    }

    private static XattrTags TagOf(ReadOnlySpan<byte> tag)
    {
        if (tag.SequenceEqual("hide."u8))
            return XattrTags.Hide;
        if (tag.SequenceEqual("indx."u8))
            return XattrTags.Indx;
        if (tag.SequenceEqual("srch."u8))
            return XattrTags.Srch;
        return tag.SequenceEqual("totl."u8) ? XattrTags.Totl : XattrTags.None;
    }

    // Takes the last field, and the dot before it, off the name; there must be a dot.
    private static bool TryTakeLast(ref ReadOnlySpan<byte> name, out ulong number)
    {
        int dot = name.LastIndexOf((byte)'.');
        number = 0;
        if (dot < 0 || !TryParseNumber(name[(dot + 1)..], out number))
            return false;
        name = name[..dot];
        return true;
    }

    private static uint DigitOf(byte character)
    {
        if (character is >= (byte)'0' and <= (byte)'9')
            return (uint)(character - '0');
        uint letter = character | 0x20u;
        return letter is >= 'a' and <= 'f' ? letter - 'a' + 10 : uint.MaxValue;
    }
}

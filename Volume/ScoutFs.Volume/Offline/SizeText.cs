using System.Globalization;

namespace ScoutFs.Volume.Offline;

/// <summary>Sizes in messages (archive §12.1): powers of 1024, two decimals.</summary>
public static class SizeText
{
    private static readonly string[] Units = ["B", "KB", "MB", "GB", "TB", "PB", "EB"];

    /// <summary>A number of bytes, <c>64.00 GB</c>.</summary>
    /// <param name="bytes">The size.</param>
    /// <param name="separator">Between number and unit.</param>
    public static string Of(ulong bytes, string separator = " ")
    {
        int unit = 0;
        decimal value = bytes;
        while (value >= 1024 && unit < Units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{value:F2}{separator}{Units[unit]}");
    }

    /// <summary>A count with the size it stands for, <c>1048576 (64.00 GB)</c>.</summary>
    /// <param name="count">How many.</param>
    /// <param name="unitBytes">Bytes of one; the product saturates.</param>
    public static string OfCount(ulong count, int unitBytes)
    {
        ulong bytes = count > ulong.MaxValue / (ulong)unitBytes ? ulong.MaxValue : count * (ulong)unitBytes;
        return string.Create(CultureInfo.InvariantCulture, $"{count} ({Of(bytes)})");
    }
}

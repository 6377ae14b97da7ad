using System;
using System.Globalization;
using System.Text;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Block numbers as text, runs of ascending ones shortened: <c>4-1027,2000</c>.</summary>
internal static class RangesText
{
    /// <summary>The numbers in the order they are in.</summary>
    public static string Of(ReadOnlySpan<Le64> numbers)
    {
        var text = new StringBuilder();
        for (int i = 0; i < numbers.Length;)
        {
            int last = i;
            while (last + 1 < numbers.Length && numbers[last + 1].Value == numbers[last].Value + 1)
                last++;
            if (text.Length > 0)
                _ = text.Append(',');
            _ = text.Append(CultureInfo.InvariantCulture, $"{numbers[i].Value}");
            if (last > i)
                _ = text.Append(CultureInfo.InvariantCulture, $"-{numbers[last].Value}");
            i = last + 1;
        }

        return text.ToString();
    }
}

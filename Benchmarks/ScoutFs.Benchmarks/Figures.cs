using System;
using System.Globalization;
using System.Linq;

namespace ScoutFs.Benchmarks;

/// <summary>What the programs that are no classes of BenchmarkDotNet print.</summary>
internal static class Figures
{
    /// <summary>The middle one; of an even number, the greater.</summary>
    public static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);

    /// <summary>Prints a line, numbers as in English.</summary>
    public static void Print(FormattableString line) =>
        Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}

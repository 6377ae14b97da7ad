using System;
using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ScoutFs.Cli;

/// <summary>Output for programs: <c>--json</c>.</summary>
/// <remarks>64 bit numbers are JSON numbers, to be read as integers.</remarks>
internal static class CliJson
{
    // Output goes to programs and files, never into HTML, so only what JSON itself asks for is escaped.
    private static readonly JsonWriterOptions Indented =
        new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonWriterOptions OneLine = Indented with { Indented = false };

    /// <summary>The option <c>--json</c>.</summary>
    /// <param name="description">What is printed then.</param>
    public static Option<bool> Option(string description) => new("--json") { Description = description };

    /// <summary>Writes one indented document and a line feed to standard output.</summary>
    public static void WriteDocument(CliConsole console, Action<Utf8JsonWriter> write) =>
        Write(console, Indented, write);

    /// <summary>Writes one value on a line of its own, for streams of values.</summary>
    public static void WriteLine(CliConsole console, Action<Utf8JsonWriter> write) =>
        Write(console, OneLine, write);

    /// <summary>A writer of one-line values over any stream, for loops that must not allocate one a value.</summary>
    public static Utf8JsonWriter LineWriter(System.IO.Stream stream) => new(stream, OneLine);

    private static void Write(CliConsole console, JsonWriterOptions options, Action<Utf8JsonWriter> write)
    {
        console.Output.Flush();
        using (var writer = new Utf8JsonWriter(console.OutputBytes, options))
            write(writer);
        console.OutputBytes.WriteByte((byte)'\n');
    }
}

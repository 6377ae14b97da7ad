using System;
using System.CommandLine;
using System.IO;
using System.Text;

namespace ScoutFs.Cli;

/// <summary>Where a command writes: text and bytes of the result, diagnostics, progress.</summary>
/// <remarks>
/// It travels with the command line as the library's invocation configuration. <see cref="OutputBytes"/> and
/// <see cref="InvocationConfiguration.Output"/> are one stream; flush the text before writing bytes.
/// </remarks>
internal sealed class CliConsole : InvocationConfiguration
{
    /// <summary>Creates a console over streams.</summary>
    /// <param name="outputBytes">Standard output.</param>
    /// <param name="error">Standard error.</param>
    /// <param name="isOutputTerminal">Output is read by a person as it comes.</param>
    /// <param name="isErrorTerminal">Diagnostics go to a terminal, where progress may be drawn.</param>
    /// <param name="time">Time of progress lines, and of what is written into new volumes.</param>
    public CliConsole(
        Stream outputBytes, TextWriter error, bool isOutputTerminal, bool isErrorTerminal, TimeProvider time)
    {
        OutputBytes = outputBytes;
        IsOutputTerminal = isOutputTerminal;
        IsErrorTerminal = isErrorTerminal;
        Time = time;
        Output = new StreamWriter(outputBytes, new UTF8Encoding(false), bufferSize: 1 << 15)
        {
            AutoFlush = isOutputTerminal,
            NewLine = "\n",
        };
        Error = error;

        // Failures have their own report, and signals are the program's.
        EnableDefaultExceptionHandler = false;
        ProcessTerminationTimeout = null;
    }

    /// <summary>Standard output as bytes, for names and contents that are no text.</summary>
    public Stream OutputBytes { get; }

    /// <summary>Output is read by a person as it comes.</summary>
    public bool IsOutputTerminal { get; }

    /// <summary>Progress may be drawn on standard error.</summary>
    public bool IsErrorTerminal { get; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; }

    /// <summary>Opens standard input.</summary>
    public Func<Stream> OpenInput { get; init; } = Console.OpenStandardInput;

    /// <summary>The console of this process.</summary>
    public static CliConsole OfProcess() => new(
        CliOutput.OfProcess(),
        Console.Error,
        !Console.IsOutputRedirected,
        !Console.IsErrorRedirected,
        TimeProvider.System);

    /// <summary>Writes a line of the result to standard output.</summary>
    public void Print(string line) => Output.WriteLine(line);

    /// <summary>Writes a note, warning or diagnostic to standard error, as a line of its own.</summary>
    public void Note(string sentence) => Error.WriteLine(sentence);
}

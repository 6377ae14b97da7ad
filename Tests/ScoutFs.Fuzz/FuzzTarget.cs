using System;
using System.Collections.Generic;
using System.Threading.Tasks;

namespace ScoutFs.Fuzz;

/// <summary>A parser under attack.</summary>
/// <param name="Name">Name on the command line.</param>
/// <param name="What">What it takes as input, for people.</param>
/// <param name="Run">
/// Feeds it one input. Whatever comes out is a bug: what a hostile input may cause is caught inside.
/// </param>
/// <param name="Seeds">Inputs to start from: good ones.</param>
internal sealed record FuzzTarget(
    string Name, string What, Func<byte[], Task> Run, Func<Task<IReadOnlyList<byte[]>>> Seeds);

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using ScoutFs.Testing;

namespace ScoutFs.Integration.Tests;

/// <summary>What volcheck.py says about a volume.</summary>
/// <param name="Codes">
/// The invariants it reports, each once: "I25" for errors, "I23(w)" for warnings; null when it did not get to the end.
/// </param>
/// <param name="Lines">Its report.</param>
/// <param name="Crash">What stopped it: it is made for volumes, not for anything that calls itself one.</param>
internal sealed record CrossCheckAnswer(IReadOnlySet<string>? Codes, IReadOnlyList<string> Lines, string? Crash);

/// <summary>
/// A running volcheck.py, the independent checker, that is asked about many volumes one after the other.
/// </summary>
/// <remarks>
/// volcheck.py is left as it is: a few lines of Python load it as a module and put two things under it. Reads of an
/// image see the changes of one volume on top of a common base, so that only the base is ever written to a file; and
/// checksums of blocks seen before are not computed again, which is most of the time it takes.
/// </remarks>
internal sealed class CrossCheckSession : IAsyncDisposable
{
    private const string Driver = """
        import base64, hashlib, importlib.util, json, os, signal, sys
        sys.dont_write_bytecode = True
        spec = importlib.util.spec_from_file_location("volcheck", sys.argv[1])
        v = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(v)

        known = {}
        compute = v.crc32c_raw
        def crc(block):
            key = hashlib.blake2b(block).digest()
            if key not in known:
                known[key] = compute(bytes(block))
            return known[key]
        v.crc32c_raw = crc

        class Images:
            O_RDONLY, SEEK_END = os.O_RDONLY, os.SEEK_END
            def __init__(self, case):
                self.case, self.fds = case, {}
            def open(self, path, flags):
                fd = os.open(path, flags)
                which = "meta" if path == self.case["meta"] else "data"
                patches = {p["at"]: base64.b64decode(p["bytes"]) for p in self.case[which + "Patches"]}
                self.fds[fd] = (self.case[which + "Size"], patches)
                return fd
            def lseek(self, fd, offset, whence):
                return self.fds[fd][0]
            def pread(self, fd, count, offset):
                size, patches = self.fds[fd]
                count = max(0, min(count, size - offset))
                chunk = patches.get(offset // 65536 * 65536)
                if chunk is None:
                    return os.pread(fd, count, offset)
                return chunk[offset % 65536:offset % 65536 + count]
            def close(self):
                for fd in self.fds:
                    os.close(fd)

        class Options:
            fs = True

        def late(*_):
            raise TimeoutError("volcheck.py takes too long")
        signal.signal(signal.SIGALRM, late)

        for line in sys.stdin:
            case = json.loads(line)
            v.os = images = Images(case)
            report = v.Report()
            answer = {"crash": None}
            signal.alarm(60)
            try:
                v.Volume(case["meta"], case["data"], report).check(Options)
            except Exception as e:
                answer["crash"] = type(e).__name__ + ": " + str(e)
            signal.alarm(0)
            images.close()
            answer["codes"] = sorted(report.codes)
            answer["lines"] = report.lines
            print(json.dumps(answer), flush=True)
        """;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    private readonly Process _python;
    private readonly string _folder;
    private readonly Dictionary<string, (string Meta, string Data)> _bases = [];

    private CrossCheckSession(Process python, string folder)
    {
        _python = python;
        _folder = folder;
    }

    /// <summary>Finds volcheck.py beside or above the repository; null when it is not there.</summary>
    public static string? FindScript()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string path = Path.Combine(folder.FullName, "shared", "tools", "volcheck.py");
            if (File.Exists(path))
                return path;
        }

        return null;
    }

    /// <summary>Starts it; null when there is no python3.</summary>
    public static CrossCheckSession? TryStart(string script)
    {
        string folder = Directory.CreateTempSubdirectory("scoutfs-cross-check-").FullName;
        var start = new ProcessStartInfo("python3")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(Driver);
        start.ArgumentList.Add(script);
        try
        {
            return new CrossCheckSession(Process.Start(start)!, folder);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Directory.Delete(folder);
            return null;
        }
    }

    /// <summary>Checks a volume that was forked from a base.</summary>
    /// <param name="name">Name of the base, the same for the same base.</param>
    /// <param name="origin">The base.</param>
    /// <param name="volume">The volume.</param>
    public async Task<CrossCheckAnswer> CheckAsync(string name, VolumeEditor origin, VolumeEditor volume)
    {
        if (!_bases.TryGetValue(name, out var paths))
        {
            paths = (Path.Combine(_folder, name + "-meta.img"), Path.Combine(_folder, name + "-data.img"));
            await WriteSparseAsync(paths.Meta, origin.Meta);
            await WriteSparseAsync(paths.Data, origin.Data);
            _bases.Add(name, paths);
        }

        return await AskAsync(new Question(
            paths.Meta,
            paths.Data,
            volume.Meta.SizeBytes,
            volume.Data.SizeBytes,
            PatchesOf(volume.Meta),
            PatchesOf(volume.Data)));
    }

    /// <summary>Checks a volume in two image files.</summary>
    public Task<CrossCheckAnswer> CheckAsync(string metaPath, string dataPath) => AskAsync(new Question(
        metaPath, dataPath, new FileInfo(metaPath).Length, new FileInfo(dataPath).Length, [], []));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _python.StandardInput.Close();
        await _python.WaitForExitAsync();
        _python.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task WriteSparseAsync(string path, VolumeEditorDevice device)
    {
        byte[] buffer = new byte[VolumeEditorDevice.ChunkBytes];
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        file.SetLength(device.SizeBytes);
        foreach (long offset in device.AllocatedOffsets())
        {
            int length = (int)Math.Min(buffer.Length, device.SizeBytes - offset);
            device.Read(offset, buffer.AsSpan(0, length));
            file.Position = offset;
            await file.WriteAsync(buffer.AsMemory(0, length));
        }
    }

    private static List<Patch> PatchesOf(VolumeEditorDevice device)
    {
        List<Patch> patches = [];
        foreach (long offset in device.ChangedOffsets())
        {
            byte[] chunk = new byte[Math.Min(VolumeEditorDevice.ChunkBytes, device.SizeBytes - offset)];
            device.Read(offset, chunk);
            patches.Add(new Patch(offset, chunk));
        }

        return patches;
    }

    private async Task<CrossCheckAnswer> AskAsync(Question question)
    {
        await _python.StandardInput.WriteLineAsync(JsonSerializer.Serialize(question, Json));
        await _python.StandardInput.FlushAsync();
        string line = await _python.StandardOutput.ReadLineAsync()
            ?? throw new InvalidOperationException("python3 has ended; its standard error says why.");
        var reply = JsonSerializer.Deserialize<Reply>(line, Json)!;
        return new CrossCheckAnswer(
            reply.Crash is null ? reply.Codes.ToHashSet() : null, reply.Lines, reply.Crash);
    }

    private sealed record Patch(long At, byte[] Bytes);

    private sealed record Question(
        string Meta,
        string Data,
        long MetaSize,
        long DataSize,
        IReadOnlyList<Patch> MetaPatches,
        IReadOnlyList<Patch> DataPatches);

    private sealed record Reply(IReadOnlyList<string> Codes, IReadOnlyList<string> Lines, string? Crash);
}

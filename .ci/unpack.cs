#:property PublishAot=false
#:project ../Volume/ScoutFs.Devices/ScoutFs.Devices.csproj

// dotnet run .ci/unpack.cs NAME FOLDER: image files and manifest of a golden volume, for tests from outside.

using System.IO;
using System.IO.Compression;
using System.Threading;
using ScoutFs.Devices;
using ScoutFs.Volume.Blocks;
using ScoutFs.Volume.Offline;

string golden = Path.Combine("Tests", "Golden", args[0]);
await using FileStream packed = File.OpenRead(golden + ".packed");
PackedVolumeSizes sizes = await PackedVolume.ReadHeaderAsync(packed, CancellationToken.None);
await using IBlockDevice meta = Create("meta.img", sizes.MetaBytes);
await using IBlockDevice data = Create("data.img", sizes.DataBytes);
await PackedVolume.UnpackAsync(packed, sizes, meta, data, progress: null, CancellationToken.None);

await using var manifest = new BrotliStream(File.OpenRead(golden + ".jsonl.br"), CompressionMode.Decompress);
await using FileStream copy = File.Create(Path.Combine(args[1], "manifest.jsonl"));
await manifest.CopyToAsync(copy);

IBlockDevice Create(string name, long sizeBytes)
{
    DeviceOpenResult result = BlockDevices.Open(
        Path.Combine(args[1], name), DeviceOpenOptions.ForWriting with { CreateSizeBytes = sizeBytes });
    return result.Device ?? throw new IOException(result.Message);
}

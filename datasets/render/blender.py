"""Blender in a few words: meshes, materials, skies, lamps, and a place rendered to arrays.

A set is a function `build(rng, **options)` that puts up a place in an empty scene and returns a `Shot`. Metres, z up,
linear colours. Only the functions here need `bpy`, and only when they are called.
"""

import hashlib
import json
import math
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import backdrops
import numpy as np
import scene

SKY = 10000.0  # metres: the depth of what lies behind everything
VERSION = 1  # raise it when the code here renders other pictures: all plates are then made again


@dataclass(frozen=True)
class Plate:
    """One view of one place: which set builds it, from which random stream."""

    build: object  # build(rng, **options) -> Shot
    seed: int
    split: str  # "train" or "val"
    options: dict = field(default_factory=dict)

    def digest(self):
        """Changes with the plate's recipe and with the code of its set."""
        code = Path(sys.modules[self.build.__module__].__file__).read_text(encoding="utf-8")
        recipe = [VERSION, self.build.__name__, self.seed, self.split, self.options, code]
        return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]


@dataclass
class Shot:
    """What a set hands over: where the camera stands, and where something may burn."""

    camera: scene.Camera
    anchors: list = field(default_factory=list)  # {"kind", "at", "height": (low, high), "width", "along"}: see kinds.py
    indoor: bool = False
    lamp: bool = False  # whether lit lamps or windows are in view
    moods: list | None = None  # the light that suits it, out of compose.MOODS
    haze: tuple | None = None  # colour, and the metres after which little is left of what lies behind


# ------------------------------------------------------------------------------------------------------------ objects
def mesh(name, parts, smooth=True):
    """A mesh of several parts, each (vertices (N, 3), faces (M, corners), material). Put it in with `place`."""
    import bpy

    made = bpy.data.meshes.new(name)
    vertices, corners, sides, which, offset = [], [], [], [], 0
    for number, (points, faces, skin) in enumerate(parts):
        faces = np.asarray(faces)
        vertices.append(np.asarray(points, np.float32))
        corners.append((faces + offset).ravel())
        sides.append(np.full(len(faces), faces.shape[1]))
        which.append(np.full(len(faces), number))
        offset += len(points)
        made.materials.append(skin)
    vertices, corners, sides, which = (np.concatenate(a) for a in (vertices, corners, sides, which))
    made.vertices.add(len(vertices))
    made.vertices.foreach_set("co", vertices.ravel())
    made.loops.add(len(corners))
    made.loops.foreach_set("vertex_index", corners.astype(np.int32))
    made.polygons.add(len(sides))
    made.polygons.foreach_set("loop_start", np.concatenate([[0], np.cumsum(sides)[:-1]]).astype(np.int32))
    made.polygons.foreach_set("material_index", which.astype(np.int32))
    made.polygons.foreach_set("use_smooth", np.full(len(sides), smooth))
    made.update(calc_edges=True)
    return made


def place(data, at=(0, 0, 0), turn=0.0, scale=1.0, ground=False):
    """Put a mesh or a lamp into the scene: `turn` in radians about z, or three angles. Meshes may be placed often."""
    import bpy

    made = bpy.data.objects.new(data.name, data)
    made.location = at
    made.rotation_euler = turn if np.ndim(turn) else (0, 0, turn)
    made.scale = scale if np.ndim(scale) else (scale,) * 3
    made.pass_index = int(ground)
    bpy.context.scene.collection.objects.link(made)
    return made


def box(at, size, skin, bevel=0.0, turn=0.0, ground=False):
    """A box around the point `at`; `bevel` in metres rounds its edges."""
    corners = (np.array(list(np.ndindex(2, 2, 2))) - 0.5) * size
    faces = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    made = place(mesh("box", [(corners, faces, skin)], smooth=False), at, turn, ground=ground)
    if bevel:
        edge = made.modifiers.new("bevel", "BEVEL")
        edge.width, edge.segments = bevel, 2
    return made


# ---------------------------------------------------------------------------------------------------------- materials
class Nodes:
    """Shader nodes of a material or a world, wired by calls."""

    def __init__(self, owner):
        owner.use_nodes = True
        self.tree = owner.node_tree
        self.tree.nodes.clear()

    def __call__(self, kind, inputs=None, **settings):
        """A node with its settings; `inputs` maps the name or number of a socket to a value or another's output."""
        node = self.tree.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        for name, value in (inputs or {}).items():
            if hasattr(value, "is_output"):
                self.tree.links.new(value, node.inputs[name])
            elif np.ndim(value) and node.inputs[name].type == "RGBA":
                node.inputs[name].default_value = (*value, 1)
            else:
                node.inputs[name].default_value = value
        return node

    def math(self, operation, *values):
        return self("ShaderNodeMath", dict(enumerate(values)), operation=operation).outputs[0]

    def mix(self, share, a, b, blend="MIX"):
        inputs = {"Factor": share, "A": a, "B": b}
        # A Mix node has sockets of one name for numbers, vectors and colours: those for colours come last.
        node = self.tree.nodes.new("ShaderNodeMix")
        node.data_type, node.blend_type = "RGBA", blend
        for name, value in inputs.items():
            socket = [s for s in node.inputs if s.name == name and s.enabled][0]
            if hasattr(value, "is_output"):
                self.tree.links.new(value, socket)
            else:
                socket.default_value = (*value, 1) if np.ndim(value) else value
        return next(s for s in node.outputs if s.enabled)


def material(
    name, colour, other=None, period=1.0, rough=0.8, bump=0.0, metal=0.0, glow=0.0, vary=0.0, island=0.0, leaf=False,
    stretch=(1, 1, 1),
):  # fmt: skip
    """A surface whose colour wanders between two by fractal noise, with lumps of `period` metres.

    bump: height of its relief in metres; glow: light it sends out; vary: how much the shade differs from object to
    object, and `island` from loose part to loose part of a mesh; leaf: light shines through; stretch: of the noise.
    """
    import bpy

    made = bpy.data.materials.new(name)
    node = Nodes(made)
    where = node("ShaderNodeTexCoord").outputs["Object"]
    chance = node("ShaderNodeObjectInfo").outputs["Random"]
    scaled = node("ShaderNodeMapping", {"Vector": where, "Scale": [s / period for s in stretch]}).outputs[0]
    grain = {"Vector": scaled, "W": chance, "Scale": 1.0, "Detail": 6.0, "Roughness": 0.65}
    noise = node("ShaderNodeTexNoise", grain, noise_dimensions="4D").outputs[0]
    share = node("ShaderNodeMapRange", {"Value": noise, "From Min": 0.3, "From Max": 0.7}).outputs[0]
    shade = node.mix(share, colour, other or colour)
    if vary or island:
        amount = vary or island
        lot = node("ShaderNodeNewGeometry").outputs["Random Per Island"] if island else chance
        value = node.math("MULTIPLY_ADD", lot, amount, 1 - amount / 2)
        hue = node.math("MULTIPLY_ADD", chance, 0.1 * amount, 0.5 - 0.05 * amount)
        shade = node("ShaderNodeHueSaturation", {"Color": shade, "Value": value, "Hue": hue}).outputs[0]
    if leaf:
        through = node("ShaderNodeBsdfTranslucent", {"Color": shade}).outputs[0]
        surface = node(
            "ShaderNodeMixShader", {0: 0.35, 1: node("ShaderNodeBsdfDiffuse", {"Color": shade}).outputs[0], 2: through}
        )
    else:
        look = {"Base Color": shade, "Roughness": rough, "Metallic": metal, "Specular IOR Level": 0.3}
        if glow:
            look |= {"Emission Color": shade, "Emission Strength": glow}
        if bump:
            look["Normal"] = node("ShaderNodeBump", {"Strength": 1.0, "Distance": bump, "Height": noise}).outputs[0]
        surface = node("ShaderNodeBsdfPrincipled", look)
    node("ShaderNodeOutputMaterial", {"Surface": surface.outputs[0]})
    return made


# -------------------------------------------------------------------------------------------------------------- light
def world():
    import bpy

    made = bpy.data.worlds.new("world")
    bpy.context.scene.world = made
    return Nodes(made)


def hdri(name, turn=0.0, strength=1.0):
    """One of Blender's panoramas as the sky, turned by `turn` degrees."""
    import bpy

    node = world()
    picture = bpy.data.images.load(str(backdrops.path_of(name)))
    where = node("ShaderNodeTexCoord").outputs["Generated"]
    turned = node("ShaderNodeMapping", {"Vector": where, "Rotation": (0, 0, math.radians(turn))}).outputs[0]
    light = node("ShaderNodeTexEnvironment", {"Vector": turned}, image=picture).outputs[0]
    background = node("ShaderNodeBackground", {"Color": light, "Strength": strength}).outputs[0]
    node("ShaderNodeOutputWorld", {"Surface": background})


def gradient(
    zenith, horizon, below=(0.1, 0.1, 0.1), power=0.5, strength=1.0, sun=None, cloud=0.0, cloud_colour=(1, 1, 1)
):
    """A drawn sky: from `horizon` to `zenith`, with clouds of a density (0 to 1).

    sun: (azimuth, elevation, colour of its halo, strength of the halo, radius in degrees, colour of the disc).
    """
    node = world()
    where = node("ShaderNodeTexCoord").outputs["Generated"]
    up = node("ShaderNodeSeparateXYZ", {"Vector": where}).outputs["Z"]
    sky = node.mix(node.math("POWER", node.math("MAXIMUM", up, 0.0), power), horizon, zenith)
    if cloud:
        # Clouds lie on a plane overhead: they shrink towards the horizon.
        rise = node.math("ADD", node.math("ABSOLUTE", up), 0.12)
        flat = node("ShaderNodeCombineXYZ", {"X": rise, "Y": rise, "Z": 1.0}).outputs[0]
        plane = node("ShaderNodeVectorMath", {0: where, 1: flat}, operation="DIVIDE").outputs[0]
        lumps = {"Vector": plane, "Scale": 0.9, "Detail": 7.0, "Distortion": 0.5}
        share = {
            "Value": node("ShaderNodeTexNoise", lumps).outputs[0],
            "From Min": 0.45,
            "From Max": 0.68,
            "To Max": cloud,
        }
        sky = node.mix(node("ShaderNodeMapRange", share).outputs[0], sky, cloud_colour)
    sky = node.mix(node.math("GREATER_THAN", up, 0.0), below, sky)
    if sun:
        azimuth, elevation, halo, amount, radius, disc = sun
        az, el = math.radians(azimuth), math.radians(elevation)
        way = math.sin(az) * math.cos(el), math.cos(az) * math.cos(el), math.sin(el)
        near = node("ShaderNodeVectorMath", {0: where, 1: way}, operation="DOT_PRODUCT").outputs["Value"]
        near = node.math("MAXIMUM", near, 0.0)
        wide = node.math("MULTIPLY", node.math("POWER", near, 12.0), 0.25)
        shine = node.math("MULTIPLY", node.math("ADD", wide, node.math("POWER", near, 250.0)), amount)
        sky = node.mix(shine, sky, halo, "ADD")
        sky = node.mix(node.math("GREATER_THAN", near, math.cos(math.radians(radius))), sky, disc)
    background = node("ShaderNodeBackground", {"Color": sky, "Strength": strength}).outputs[0]
    node("ShaderNodeOutputWorld", {"Surface": background})


def sun(azimuth, elevation, strength, colour=(1, 0.95, 0.88), angle=1.5):
    """Sunlight from a direction in degrees; `angle` is the sun's width, which softens the shadows."""
    import bpy

    light = bpy.data.lights.new("sun", "SUN")
    light.energy, light.color, light.angle = strength, colour, math.radians(angle)
    return place(light, turn=(math.radians(90 - elevation), 0, math.pi - math.radians(azimuth)))


def lamp(at, power, colour=(1, 0.8, 0.6), size=0.2, kind="POINT", turn=(0, 0, 0)):
    """A lamp of some watts; `size` is its radius, or width and height of an AREA lamp, which shines down."""
    import bpy

    light = bpy.data.lights.new("lamp", kind)
    light.energy, light.color = power, colour
    if kind != "AREA":
        light.shadow_soft_size = size
    elif np.ndim(size):
        light.shape, light.size, light.size_y = "RECTANGLE", *size
    else:
        light.size = size
    return place(light, at, turn)


# ---------------------------------------------------------------------------------------------------------- rendering
def reset(samples):
    """An empty scene that Cycles renders on one thread, the same each time."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    view = bpy.context.scene
    view.render.engine = "CYCLES"
    view.render.threads_mode, view.render.threads = "FIXED", 1
    cycles = view.cycles
    cycles.device, cycles.samples, cycles.seed = "CPU", samples, 0
    cycles.use_adaptive_sampling = False
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_input_passes, cycles.denoising_prefilter = "RGB_ALBEDO_NORMAL", "FAST"
    cycles.sample_clamp_indirect = 4
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 4, 3, 2
    cycles.transmission_bounces, cycles.transparent_max_bounces = 2, 6
    view.view_settings.view_transform = "Raw"


def render(camera):
    """Render the scene as `camera` sees it: arrays image, albedo, normal (H, W, 3), depth, ground (H, W)."""
    import bpy
    import OpenEXR

    view = bpy.context.scene
    lens = bpy.data.cameras.new("camera")
    lens.sensor_fit, lens.angle = "AUTO", math.radians(camera.fov)
    lens.clip_start, lens.clip_end = 0.02, 20000
    turn = math.radians(90 + camera.elevation), 0, -math.radians(camera.azimuth)
    view.camera = place(lens, camera.position, turn)
    view.render.resolution_x, view.render.resolution_y = camera.width, camera.height
    layer = view.view_layers[0]
    layer.use_pass_position = layer.use_pass_normal = layer.use_pass_diffuse_color = layer.use_pass_object_index = True
    settings = view.render.image_settings
    settings.media_type = "MULTI_LAYER_IMAGE"
    settings.color_depth = "32"
    with tempfile.TemporaryDirectory() as folder:
        view.render.filepath = f"{folder}/plate.exr"
        bpy.ops.render.render(write_still=True)
        with OpenEXR.File(view.render.filepath) as file:
            channels = {name: c.pixels for part in file.parts for name, c in part.channels.items()}

    def find(name):
        """A pass: OpenEXR joins channels called R, G, B; those called X, Y, Z or alone come one by one."""
        found = [channels[key] for key in sorted(channels) if f".{name}" in key]
        return found[0] if len(found) == 1 else np.stack(found, -1)

    depth = np.linalg.norm(find("Position")[..., :3] - camera.position, axis=-1)
    solid = np.abs(find("Normal")).sum(-1) > 0
    return dict(
        image=find("Combined")[..., :3],
        albedo=find("Diffuse Color")[..., :3],
        normal=find("Normal")[..., :3],
        depth=np.where(solid, np.minimum(depth, SKY), SKY),
        ground=find("Object Index") > 0.5,
    )


def hazy(image, depth, colour, reach):
    """Air between the camera and what it sees; the sky keeps its colour."""
    clear = np.where(depth < SKY, np.exp(-depth / reach), 1)[..., None]
    return image * clear + np.float32(colour) * (1 - clear)
